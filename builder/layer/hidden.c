/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/hidden.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/layer/prune.h"
#include "builder/layer/whiteout.h"

void xb_hidden_clear(struct xb_hidden *hidden)
{
	xb_strv_clear(&hidden->paths);
	*hidden = (struct xb_hidden){ 0 };
}

/* People do not see it: the layer is then applied otherwise. */
static int refuse(struct xb_error *err)
{
	return xb_error_set(err, -EXDEV, "it cannot be hidden without the layers below");
}

int xb_hidden_note(struct xb_hidden *hidden, struct xb_view parent, const char *name,
		   struct xb_error *err)
{
	xb_autofree char *path =
		xb_format("%.*s%s%s", XB_VIEW_ARGS(parent), parent.len > 0 ? "/" : "", name);

	hidden->size += strlen(path) + 1;
	if (hidden->size > XB_MAX_HIDDEN)
		return refuse(err);
	xb_strv_take(&hidden->paths, XB_STEAL(path));
	return 0;
}

static int make_opaque(int fd, struct xb_error *err)
{
	int r = xb_whiteout_make_opaque(fd);

	/* a mark of our own is not for a tree that overlays show */
	if (r > 0)
		return refuse(err);
	return r < 0 ? xb_error_errno(err, r, "making the directory opaque") : 0;
}

int xb_hidden_opaque(int root, int dirfd, struct xb_error *err)
{
	xb_auto_fd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat top, st;

	if (fd < 0 || fstat(fd, &st) < 0 || fstat(root, &top) < 0)
		return xb_error_errno(err, -errno, "opening the directory");
	/* an overlay does not ask whether its topmost directories are opaque */
	if (st.st_dev == top.st_dev && st.st_ino == top.st_ino)
		return refuse(err);
	return make_opaque(fd, err);
}

/* Open the directory that `path` is in; `*ret_name` is its last component. */
static int open_parent(int root, const char *path, const char **ret_name, struct xb_error *err)
{
	const char *slash = strrchr(path, '/');
	xb_autofree char *parent =
		slash != NULL ? xb_view_dup((struct xb_view){ path, (size_t)(slash - path) })
			      : xb_strdup(".");

	*ret_name = slash != NULL ? slash + 1 : path;
	return xb_open_in_root(root, parent, O_RDONLY | O_DIRECTORY, 0, err);
}

/* Returns 1 when the layer has nothing at the path, which then still has to be hidden. */
static int settle_path(int root, const char *path, struct xb_error *err)
{
	const char *name;
	xb_auto_fd int parent = open_parent(root, path, &name, err);
	xb_auto_fd int fd = -1;
	struct stat st;

	if (parent < 0)
		return parent;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 1 : xb_error_errno(err, -errno, "looking at %s", path);
	if (!S_ISDIR(st.st_mode))
		return 0;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return xb_error_errno(err, -errno, "opening %s", path);
	return make_opaque(fd, err);
}

int xb_hidden_settle(struct xb_hidden *hidden, int root, struct xb_error *err)
{
	xb_auto_strv struct xb_strv all = hidden->paths;

	hidden->paths = XB_STRV_INIT;
	for (size_t i = 0; i < all.len; i++) {
		int r = settle_path(root, all.items[i], err);

		if (r < 0)
			return r;
		if (r > 0)
			xb_strv_push(&hidden->paths, all.items[i]);
	}
	return 0;
}

static int remove_path(int root, const char *path, struct xb_error *err)
{
	static const struct xb_inodes none;
	const char *name;
	xb_auto_fd int parent = open_parent(root, path, &name, err);
	struct stat there, st;
	int r;

	if (parent < 0)
		return parent;
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return xb_error_set(err, -EBADMSG, "a name that leads elsewhere");
	if (fstatat(parent, name, &there, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : xb_error_errno(err, -errno, "looking at %s", path);
	if (fstat(parent, &st) < 0)
		return xb_error_errno(err, -errno, "looking at the directory of %s", path);
	r = xb_prune(parent, name, &none, err);
	if (r >= 0 && futimens(parent, (struct timespec[]){ st.st_atim, st.st_mtim }) < 0)
		return xb_error_errno(err, -errno, "setting the time of a directory");
	return r;
}

int xb_hidden_remove(int root, struct xb_view names, struct xb_error *err)
{
	if (names.len > 0 && names.data[names.len - 1] != '\0')
		return xb_error_set(err, -EBADMSG, "a name without an end");
	while (names.len > 0) {
		int r = remove_path(root, names.data, err);

		if (r < 0)
			return r;
		names = xb_view_sub(names, strlen(names.data) + 1, names.len);
	}
	return 0;
}
