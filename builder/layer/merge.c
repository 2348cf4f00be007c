/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/merge.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/layer/copy.h"
#include "builder/layer/dress.h"
#include "builder/layer/walk.h"
#include "builder/layer/whiteout.h"
#include "builder/layer/xattrs.h"

/* One snapshot being laid over what is there. */
struct merger {
	struct xb_walk *walk;
	int dest; /* the directory that answers to the walk's current one */
	enum xb_merge_how how;
};

static void merger_clear(struct merger *m)
{
	xb_walk_free(m->walk);
	xb_cleanup_fd(&m->dest);
}

static bool is_directory(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int make_directory(int dirfd, const char *name, bool keep, struct xb_error *err)
{
	int r = 0;

	if (!keep || !is_directory(dirfd, name))
		r = xb_remove_tree_at(dirfd, name, err);
	if (r >= 0 && mkdirat(dirfd, name, 0700) < 0 && errno != EEXIST)
		return xb_error_errno(err, -errno, "making a directory");
	return r;
}

static int enter(struct merger *m, const struct xb_walk_entry *e, struct xb_error *err)
{
	xb_autofree char *name = xb_strdup(e->name);
	xb_auto_fd int fd = -1;
	int from;
	int r = xb_walk_enter(m->walk, err);

	if (r < 0)
		return r;
	from = xb_walk_dirfd(m->walk);
	r = make_directory(m->dest, name, !xb_whiteout_is_opaque(from), err);
	if (r < 0)
		return r;
	fd = openat(m->dest, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return xb_error_errno(err, -errno, "opening a directory");
	r = xb_dress(from, fd, err);
	if (r < 0)
		return r;
	xb_cleanup_fd(&m->dest);
	m->dest = XB_STEAL_FD(fd);
	return 0;
}

/* Nobody else writes here: ".." is where we came from. */
static int leave(struct merger *m, const struct xb_walk_entry *e, struct xb_error *err)
{
	int up = openat(m->dest, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (up < 0)
		return xb_error_errno(err, -errno, "going up");
	r = xb_dress_time(m->dest, &e->st, err);
	xb_cleanup_fd(&m->dest);
	m->dest = up;
	return r;
}

/* A file with as many names as the file system allows is copied as one on another file system is.
 */
static int put_leaf(const struct merger *m, const struct xb_walk_entry *e, struct xb_error *err)
{
	if (m->how == XB_MERGE_LINK && linkat(e->dirfd, e->name, m->dest, e->name, 0) == 0)
		return 0;
	return xb_copy_leaf(e->dirfd, e->name, &e->st, m->dest, err);
}

static int merge_entry(struct merger *m, const struct xb_walk_entry *e, struct xb_error *err)
{
	int r;

	if (e->event == XB_WALK_LEAVE)
		return leave(m, e, err);
	if (S_ISDIR(e->st.st_mode))
		return enter(m, e, err);
	if (xb_whiteout_is_opaque_mark(e->dirfd, e->name))
		return 0;
	r = xb_remove_tree_at(m->dest, e->name, err);
	return r < 0 || xb_whiteout_is(&e->st) ? r : put_leaf(m, e, err);
}

static int merge_walked(struct merger *m, struct xb_error *err)
{
	struct xb_walk_entry e;
	int r;

	while ((r = xb_walk_next(m->walk, &e, err)) > 0) {
		xb_autofree char *path = xb_strdup(e.path); /* for the message */

		r = merge_entry(m, &e, err);
		if (r < 0)
			return xb_error_wrap(err, r, "%s", path);
	}
	return r;
}

/* Lay the snapshot `path` over what `into` has. */
static int merge_one(const char *path, enum xb_merge_how how, int into, struct xb_error *err)
{
	XB_CLEANUP(merger_clear) struct merger m = { .dest = -1, .how = how };
	xb_auto_fd int from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int r;

	if (from < 0 || fstat(from, &st) < 0)
		return xb_error_errno(err, -errno, "opening it");
	m.dest = openat(into, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m.dest < 0)
		return xb_error_errno(err, -errno, "opening the merged tree");
	r = xb_walk_new(from, &m.walk, err);
	if (r >= 0)
		r = merge_walked(&m, err);
	if (r >= 0)
		r = xb_dress(from, into, err);
	return r < 0 ? r : xb_dress_time(into, &st, err);
}

int xb_tree_merge(const char *const *lowers, size_t n, enum xb_merge_how how, int into_fd,
		  struct xb_error *err)
{
	int r = 0;

	for (size_t i = n; r >= 0 && i > 0; i--) {
		r = merge_one(lowers[i - 1], how, into_fd, err);
		if (r < 0)
			xb_error_wrap(err, r, "merging snapshot %s", lowers[i - 1]);
	}
	if (r >= 0)
		return 0;
	(void)xb_error_fault(err, XB_FAULT_STORE);
	return r;
}
