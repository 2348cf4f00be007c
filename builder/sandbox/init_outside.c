/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the step's root takes from the builder's namespaces. It is opened by process A: a bind of a
 * path, or of a descriptor, can only be made from the mount namespace that it belongs to, and a
 * sysfs only by the owner of the network namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "builder/sandbox/init.h"
#include "builder/sandbox/init_nodes.h"

/* Bind mounts of the machine's nodes, because a mount namespace in a user namespace cannot have
 * nodes of its own. Read-only: reads and writes of a device pass, but the step cannot change the
 * owner and the mode of the machine's /dev/null. */
static int open_node(const struct init_node *node, int *ret, struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/dev/%s", node->name);
	fd = init_mount_clone(AT_FDCWD, path,
			      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, false,
			      err);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return xb_error_errno(err, -errno, "%s", path);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(node->major, node->minor))
		return xb_error_set(err, -ENODEV, "%s is not the device %u:%u", path, node->major,
				    node->minor);
	*ret = XB_STEAL_FD(fd);
	return 0;
}

/* A new sysfs shows the devices of the builder's network namespace, as the step has it. A plain
 * user's namespace does not own that one: there the machine's is bound, with all below it. */
static int open_sys(const struct xb_sandbox_spec *spec, struct xb_error *err)
{
	unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
			      (spec->insecure ? 0 : (unsigned)MOUNT_ATTR_RDONLY);
	int fd = init_mount_new("sysfs", NULL, 0, attributes, NULL);

	return fd >= 0 ? fd : init_mount_clone(AT_FDCWD, "/sys", attributes, true, err);
}

/* Kernels before 6.15 clone nothing of a detached mount. They get the mount itself, which then is
 * good for one step only. */
static int take_detached(int source, unsigned attributes, struct xb_error *err)
{
	struct mount_attr attr = { .attr_set = attributes };
	xb_auto_fd int fd = fcntl(source, F_DUPFD_CLOEXEC, 0);

	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return xb_error_errno(err, -errno, "binding a detached mount");
	return XB_STEAL_FD(fd);
}

static int open_bind(const struct xb_sandbox_mount *m, struct xb_error *err)
{
	unsigned attributes = MOUNT_ATTR_NOSUID | (m->device ? 0 : (unsigned)MOUNT_ATTR_NODEV) |
			      (m->read_only ? (unsigned)MOUNT_ATTR_RDONLY : 0);
	int fd;

	if (m->source != NULL)
		return init_mount_clone(AT_FDCWD, m->source, attributes, true, err);
	fd = init_mount_clone(m->source_fd, "", attributes, true, err);
	if (fd != -EINVAL)
		return fd;
	xb_error_clear(err);
	return take_detached(m->source_fd, attributes, err);
}

/* A step without walls sees the machine's control groups; where there are none, neither does it. */
static int open_cgroup_fs(const struct xb_sandbox_spec *spec)
{
	unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

	return spec->insecure ? init_mount_clone(AT_FDCWD, "/sys/fs/cgroup", attributes, true, NULL)
			      : -1;
}

/* Opened with the builder's rights, which are what counts when the program's process writes. */
static int open_cgroup(const char *path, int *ret, struct xb_error *err)
{
	xb_autofree char *procs = xb_format("%s/cgroup.procs", path);

	*ret = open(procs, O_WRONLY | O_CLOEXEC);
	return *ret < 0 ? xb_error_errno(err, -errno, "opening the step's control group") : 0;
}

int init_outside_open(const struct xb_sandbox_spec *spec, struct init_outside *ret,
		      struct xb_error *err)
{
	struct init_outside o = { .sys = -1, .cgroup_fs = open_cgroup_fs(spec) };
	int r = 0;

	o.binds = xb_calloc(spec->mounts.len + 1, sizeof(*o.binds));
	o.cgroups = xb_calloc(spec->cgroups.len + 1, sizeof(*o.cgroups));
	for (size_t i = 0; r >= 0 && i < spec->cgroups.len; i++)
		r = open_cgroup(spec->cgroups.items[i], &o.cgroups[i], err);
	for (size_t i = 0; r >= 0 && i < INIT_NODES; i++)
		r = open_node(&init_nodes[i], &o.nodes[i], err);
	if (r >= 0 && spec->network == XB_SANDBOX_NET_HOST)
		r = o.sys = open_sys(spec, err);
	for (size_t i = 0; r >= 0 && i < spec->mounts.len; i++) {
		const struct xb_sandbox_mount *m = &spec->mounts.items[i];

		o.binds[i] = -1;
		if (m->kind != XB_SANDBOX_BIND)
			continue;
		r = o.binds[i] = open_bind(m, err);
		if (r < 0)
			xb_error_wrap(err, r, "the mount at %s", m->target);
	}
	*ret = o;
	return r < 0 ? r : 0;
}
