/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/sandbox/init.h"

int init_mount_new(const char *type, const struct init_option *options, size_t count,
		   unsigned attributes, struct xb_error *err)
{
	xb_auto_fd int fs = fsopen(type, FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0)
		return xb_error_errno(err, -errno, "opening file system %s", type);
	(void)fsconfig(fs, FSCONFIG_SET_STRING, "source", type, 0);
	for (size_t i = 0; i < count; i++) {
		const struct init_option *o = &options[i];
		unsigned how = o->value != NULL ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;

		if (fsconfig(fs, how, o->key, o->value, 0) < 0)
			return xb_error_errno(err, -errno, "mounting %s: option %s", type, o->key);
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return xb_error_errno(err, -errno, "making file system %s", type);
	fd = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
	return fd < 0 ? xb_error_errno(err, -errno, "mounting %s", type) : fd;
}

int init_mount_clone(int dirfd, const char *path, unsigned attributes, bool recursive,
		     struct xb_error *err)
{
	struct mount_attr attr = { .attr_set = attributes };
	unsigned recurse = recursive ? AT_RECURSIVE : 0;
	xb_auto_fd int fd = open_tree(
		dirfd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | recurse);

	if (fd < 0)
		return xb_error_errno(err, -errno, "binding %s", path);
	if (mount_setattr(fd, "", AT_EMPTY_PATH | recurse, &attr, sizeof(attr)) < 0)
		return xb_error_errno(err, -errno, "setting attributes of the mount of %s", path);
	return XB_STEAL_FD(fd);
}

int init_mount_attach(int mount, int target, struct xb_error *err)
{
	if (move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
	    0)
		return xb_error_errno(err, -errno, "attaching a mount");
	return 0;
}

int init_mount_attach_at(int mount, int root, const char *path, struct xb_error *err)
{
	xb_auto_fd int target = xb_open_in_root(root, path, O_PATH | O_NOFOLLOW, 0, err);
	int r = target < 0 ? target : init_mount_attach(mount, target, err);

	return r < 0 ? xb_error_wrap(err, r, "mounting on %s", path) : 0;
}
