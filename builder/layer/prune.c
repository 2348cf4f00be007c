/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/prune.h"

#include <errno.h>
#include <fcntl.h>

#include "builder/layer/walk.h"

static int prune_entry(struct xb_walk *walk, const struct xb_walk_entry *e,
		       const struct xb_inodes *keep, struct xb_error *err)
{
	bool ours = xb_inodes_get(keep, &e->st) != XB_INODES_NONE;
	int flags = S_ISDIR(e->st.st_mode) ? AT_REMOVEDIR : 0;

	if (e->event == XB_WALK_ENTRY && S_ISDIR(e->st.st_mode))
		return xb_walk_enter(walk, err);
	if (ours || unlinkat(e->dirfd, e->name, flags) == 0)
		return 0;
	if (flags == AT_REMOVEDIR && (errno == ENOTEMPTY || errno == EEXIST))
		return 0; /* this layer wrote something below it */
	return xb_error_errno(err, -errno, "removing %s", e->path);
}

int xb_prune_contents(int fd, const struct xb_inodes *keep, struct xb_error *err)
{
	xb_auto_walk struct xb_walk *walk = NULL;
	struct xb_walk_entry e;
	int r = xb_walk_new(fd, &walk, err);

	if (r < 0)
		return r;
	while ((r = xb_walk_next(walk, &e, err)) > 0) {
		r = prune_entry(walk, &e, keep, err);
		if (r < 0)
			return r;
	}
	return r;
}

int xb_prune(int dirfd, const char *name, const struct xb_inodes *keep, struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	struct stat st;
	int r;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return xb_error_errno(err, -errno, "looking at %s", name);
	if (S_ISDIR(st.st_mode)) {
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return xb_error_errno(err, -errno, "opening %s", name);
		r = xb_prune_contents(fd, keep, err);
		if (r < 0)
			return r;
	}
	if (xb_inodes_get(keep, &st) != XB_INODES_NONE)
		return 0;
	if (unlinkat(dirfd, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) == 0)
		return 0;
	if (S_ISDIR(st.st_mode) && (errno == ENOTEMPTY || errno == EEXIST))
		return 0;
	return xb_error_errno(err, -errno, "removing %s", name);
}
