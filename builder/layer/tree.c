/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>

#include "base/array.h"
#include "base/overlay.h"
#include "base/str.h"

/* Open descriptors, closed together. */
struct fds XB_ARRAY(int);

static void fds_clear(struct fds *fds)
{
	for (size_t i = 0; i < fds->len; i++)
		close(fds->items[i]);
	xb_array_clear(fds);
}

static int open_directory(const char *path, int flags, struct xb_error *err)
{
	int fd = open(path, flags | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? xb_error_errno(err, -errno, "opening snapshot %s", path) : fd;
}

static int mount_empty(struct xb_error *err)
{
	xb_auto_fd int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int r;

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return xb_error_errno(err, -errno, "making an empty tree");
	r = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
	return r < 0 ? xb_error_errno(err, -errno, "making an empty tree") : r;
}

static int mount_overlay(const char *const *lowers, size_t n, const char *upper, const char *work,
			 struct xb_error *err)
{
	XB_CLEANUP(fds_clear) struct fds fds = { 0 };
	xb_auto_fd int upper_fd = -1;
	xb_auto_fd int work_fd = -1;
	struct xb_overlay overlay = { .upper = -1, .work = -1 };

	for (size_t i = 0; i < n; i++) {
		int fd = open_directory(lowers[i], O_PATH, err);

		if (fd < 0)
			return fd;
		*xb_array_push(&fds) = fd;
	}
	if (upper != NULL) {
		upper_fd = open_directory(upper, O_PATH, err);
		if (upper_fd < 0)
			return upper_fd;
		work_fd = open_directory(work, O_PATH, err);
		if (work_fd < 0)
			return work_fd;
		overlay.upper = upper_fd;
		overlay.work = work_fd;
	}
	overlay.lowers = fds.items;
	overlay.lower_count = fds.len;
	overlay.lose_on_crash = upper != NULL;
	overlay.attributes = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID;
	return xb_overlay_mount(&overlay, err);
}

/* A mount's descriptor is O_PATH: open its root as any directory. */
static int open_root(int mount, struct xb_error *err)
{
	int fd = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? xb_error_errno(err, -errno, "opening a mounted tree") : fd;
}

static int fail_in_store(int r, struct xb_error *err)
{
	if (r < 0)
		(void)xb_error_fault(err, XB_FAULT_STORE);
	return r;
}

int xb_tree_view(const char *const *lowers, size_t n, const char *upper, const char *work,
		 struct xb_error *err)
{
	int r;

	if (n == 0 && upper != NULL)
		r = open_directory(upper, O_RDONLY, err);
	else if (n == 1 && upper == NULL)
		r = open_directory(lowers[0], O_RDONLY, err);
	else
		r = n == 0 ? mount_empty(err) : mount_overlay(lowers, n, upper, work, err);
	return fail_in_store(r, err);
}

int xb_tree_mount(const char *const *lowers, size_t n, const char *upper, const char *work,
		  struct xb_error *err)
{
	xb_auto_fd int view = xb_tree_view(lowers, n, upper, work, err);

	return view < 0 ? view : fail_in_store(open_root(view, err), err);
}
