/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/sandbox/points.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/owner.h"

/* What a step has put something into, or replaced, is its own now. */
static bool is_untouched(int dir, const char *name, struct stat *ret)
{
	if (xb_owner_stat(dir, name, ret) < 0 || ret->st_uid != 0 || ret->st_gid != 0)
		return false;
	if (S_ISDIR(ret->st_mode))
		return (ret->st_mode & 07777) == 0755;
	return S_ISREG(ret->st_mode) && ret->st_size == 0 && ret->st_nlink == 1 &&
	       (ret->st_mode & 07777) == 0644;
}

/* Returns 0 also when it stays: other things are in it. */
static int remove_untouched(int dir, const char *name)
{
	struct stat st;

	if (!is_untouched(dir, name, &st))
		return 0;
	if (unlinkat(dir, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0)
		return errno == ENOTEMPTY || errno == EEXIST ? 0 : -errno;
	return 0;
}

static int remove_point(int root, const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	xb_autofree char *above = xb_view_dup((struct xb_view){ path, (size_t)(name - path) });
	xb_auto_fd int dir =
		xb_open_in_root(root, above, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, NULL);
	struct stat st;
	int r;

	if (dir < 0 || fstat(dir, &st) < 0)
		return 0; /* the step has put something else there */
	r = remove_untouched(dir, name);
	if (r < 0)
		return r;
	return futimens(dir, (const struct timespec[]){ st.st_atim, st.st_mtim }) < 0 ? -errno : 0;
}

int xb_points_remove(int dir, const char *name, int root, struct xb_error *err)
{
	xb_auto_str struct xb_str list = XB_STR_INIT(XB_MAX_POINTS);
	xb_auto_strv struct xb_strv paths = XB_STRV_INIT;
	int r;

	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	r = xb_file_read_at(dir, name, &list, err);
	if (r < 0)
		return r;
	for (size_t at = 0; at < list.len; at += strlen(list.data + at) + 1)
		if (list.data[at] == '/')
			xb_strv_push(&paths, list.data + at);
	/* what was made last lies in what was made before */
	for (size_t i = paths.len; r >= 0 && i > 0; i--)
		r = remove_point(root, paths.items[i - 1]);
	return r < 0 ? xb_error_errno(err, r, "removing mount points of the step") : 0;
}
