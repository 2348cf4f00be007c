/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is mounted in the step's root. The lists of masked and read-only paths are containerd's
 * (pkg/oci/spec.go, populateDefaultUnixSpec) with what newer moby adds, and /sys/fs/cgroup.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/file.h"
#include "base/owner.h"
#include "builder/sandbox/init.h"
#include "builder/sandbox/init_nodes.h"

#define QUIET (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static const char *const masked_in_proc[] = { "acpi",	    "asound",	     "interrupts",  "kcore",
					      "keys",	    "latency_stats", "sched_debug", "scsi",
					      "timer_list", "timer_stats" };
static const char *const read_only_in_proc[] = { "bus", "fs", "irq", "sys", "sysrq-trigger" };
static const char *const masked_in_sys[] = { "firmware", "devices/virtual/powercap", "fs/cgroup",
					     "kernel/debug", "kernel/tracing" };

const char *const init_own_paths[INIT_OWN_MOUNTS] = { "/proc", "/sys", "/dev" };
enum { OWN_PROC, OWN_SYS, OWN_DEV };

/* The step's mounts being made. */
struct mounting {
	const struct xb_sandbox_spec *spec;
	struct init_outside *outside;
	int root;
	int files;
	int null;    /* a mount of /dev/null, to clone */
	bool masked; /* the empty directory of `files` is made */
};

/* One empty directory for all masks: making and ending a file system for each takes longer. */
static int make_empty(struct mounting *m, struct xb_error *err)
{
	static const char name[] = "empty";

	if (!m->masked && mkdirat(m->files, name, 0755) < 0)
		return xb_error_errno(err, -errno, "making an empty directory");
	m->masked = true;
	return init_mount_clone(m->files, name, QUIET | MOUNT_ATTR_RDONLY, false, err);
}

/* A mount to put over `fd`: nothing to read in it. */
static int make_mask(struct mounting *m, int fd, struct xb_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return xb_error_errno(err, -errno, "looking at a path to mask");
	if (!S_ISDIR(st.st_mode))
		return init_mount_clone(m->null, "", MOUNT_ATTR_RDONLY, false, err);
	return make_empty(m, err);
}

/* Not every kernel has every path: what is missing needs no wall. Returns 1 then. */
static int open_wall(int dir, const char *name, int *ret, struct xb_error *err)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == EACCES))
		return 1;
	if (fd < 0)
		return xb_error_errno(err, -errno, "masking %s", name);
	*ret = fd;
	return 0;
}

static int mask(struct mounting *m, int dir, const char *name, struct xb_error *err)
{
	xb_auto_fd int target = -1;
	xb_auto_fd int cover = -1;
	int r = open_wall(dir, name, &target, err);

	if (r != 0)
		return r < 0 ? r : 0;
	cover = make_mask(m, target, err);
	r = cover < 0 ? cover : init_mount_attach(cover, target, err);
	return r < 0 ? xb_error_wrap(err, r, "masking %s", name) : 0;
}

static int make_read_only(int dir, const char *name, struct xb_error *err)
{
	xb_auto_fd int target = -1;
	xb_auto_fd int again = -1;
	int r = open_wall(dir, name, &target, err);

	if (r != 0)
		return r < 0 ? r : 0;
	again = init_mount_clone(target, "", QUIET | MOUNT_ATTR_RDONLY, true, err);
	r = again < 0 ? again : init_mount_attach(again, target, err);
	return r < 0 ? xb_error_wrap(err, r, "making %s read-only", name) : 0;
}

static int mount_proc(struct mounting *m, int *ret, struct xb_error *err)
{
	int proc = *ret = init_mount_new("proc", NULL, 0, QUIET, err);
	int r = proc;

	if (r == -EPERM)
		return xb_error_hint(err,
				     "a builder inside a container needs a /proc that is not "
				     "masked (docker run --security-opt systempaths=unconfined)");
	if (r >= 0)
		r = init_mount_attach_at(proc, m->root, "/proc", err);
	if (r < 0 || m->spec->insecure)
		return r < 0 ? r : 0;
	for (size_t i = 0; r >= 0 && i < XB_COUNT(masked_in_proc); i++)
		r = mask(m, proc, masked_in_proc[i], err);
	for (size_t i = 0; r >= 0 && i < XB_COUNT(read_only_in_proc); i++)
		r = make_read_only(proc, read_only_in_proc[i], err);
	return r < 0 ? r : 0;
}

/* Without a sysfs to be had, as in a network namespace below a container whose /sys is masked, an
 * empty directory is there instead. */
static int make_sys(struct mounting *m, struct xb_error *err)
{
	unsigned attributes = QUIET | (m->spec->insecure ? 0 : (unsigned)MOUNT_ATTR_RDONLY);
	int fd = XB_STEAL_FD(m->outside->sys);

	if (fd < 0)
		fd = init_mount_new("sysfs", NULL, 0, attributes, NULL);
	if (fd < 0)
		fd = init_mount_new("tmpfs", NULL, 0, QUIET | MOUNT_ATTR_RDONLY, err);
	return fd;
}

static int mount_sys(struct mounting *m, int *ret, struct xb_error *err)
{
	int sys = *ret = make_sys(m, err);
	int r = sys < 0 ? sys : init_mount_attach_at(sys, m->root, "/sys", err);

	if (r >= 0 && m->outside->cgroup_fs >= 0)
		r = init_mount_attach_at(m->outside->cgroup_fs, m->root, "/sys/fs/cgroup", err);
	if (r < 0 || m->spec->insecure)
		return r < 0 ? r : 0;
	for (size_t i = 0; r >= 0 && i < XB_COUNT(masked_in_sys); i++)
		r = mask(m, sys, masked_in_sys[i], err);
	return r < 0 ? r : 0;
}

static int make_file(int dir, const char *name, uint32_t mode, struct xb_error *err)
{
	xb_auto_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0 || fchmod(fd, mode) < 0)
		return xb_error_errno(err, -errno, "making %s", name);
	return XB_STEAL_FD(fd);
}

static int mount_node(struct mounting *m, int dev, size_t i, struct xb_error *err)
{
	xb_auto_fd int target = make_file(dev, init_nodes[i].name, 0666, err);

	return target < 0 ? target : init_mount_attach(m->outside->nodes[i], target, err);
}

static int make_links(int dev, struct xb_error *err)
{
	static const struct {
		const char *name, *target;
	} links[] = {
		{ "fd", "/proc/self/fd" },	 { "stdin", "/proc/self/fd/0" },
		{ "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
		{ "ptmx", "pts/ptmx" },
	};

	for (size_t i = 0; i < XB_COUNT(links); i++) {
		if (symlinkat(links[i].target, dev, links[i].name) < 0)
			return xb_error_errno(err, -errno, "making /dev/%s", links[i].name);
	}
	return 0;
}

static int mount_below(int mounted, int dir, const char *name, struct xb_error *err)
{
	xb_auto_fd int mount = mounted;
	xb_auto_fd int target = -1;

	if (mount < 0)
		return mount;
	if (mkdirat(dir, name, 0755) < 0)
		return xb_error_errno(err, -errno, "making /dev/%s", name);
	target = openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target < 0)
		return xb_error_errno(err, -errno, "opening /dev/%s", name);
	return init_mount_attach(mount, target, err);
}

/* Terminals belong to group 5 (tty) everywhere, unless no such group is mapped here. */
static int make_pts(struct xb_error *err)
{
	static const struct init_option options[] = {
		{ "newinstance", NULL }, { "ptmxmode", "0666" }, { "mode", "0620" }, { "gid", "5" }
	};
	unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
	int fd = init_mount_new("devpts", options, XB_COUNT(options), attributes, NULL);

	return fd >= 0 ? fd
		       : init_mount_new("devpts", options, XB_COUNT(options) - 1, attributes, err);
}

static int mount_special(const struct mounting *m, int dev, struct xb_error *err)
{
	char size[24];
	const struct init_option shm[] = { { "mode", "1777" }, { "size", size } };
	int r = mount_below(make_pts(err), dev, "pts", err);

	snprintf(size, sizeof(size), "%llu", (unsigned long long)m->spec->shm_size);
	if (r >= 0)
		r = mount_below(init_mount_new("tmpfs", shm, XB_COUNT(shm), QUIET, err), dev, "shm",
				err);
	if (r >= 0)
		r = mount_below(init_mount_new("mqueue", NULL, 0, QUIET, err), dev, "mqueue", err);
	return r;
}

/* No node works in /dev itself, only those mounted there: the step may be able to make nodes. */
static int mount_dev(struct mounting *m, int *ret, struct xb_error *err)
{
	static const struct init_option options[] = { { "mode", "0755" }, { "size", "64m" } };
	unsigned attributes =
		MOUNT_ATTR_NOSUID | (m->spec->insecure ? 0 : (unsigned)MOUNT_ATTR_NODEV);
	int dev = *ret = init_mount_new("tmpfs", options, XB_COUNT(options), attributes, err);
	int r = dev < 0 ? dev : init_mount_attach_at(dev, m->root, "/dev", err);

	for (size_t i = 0; r >= 0 && i < INIT_NODES; i++)
		r = mount_node(m, dev, i, err);
	if (r >= 0)
		r = make_links(dev, err);
	return r < 0 ? r : mount_special(m, dev, err);
}

static int make_tmpfs(const struct xb_sandbox_mount *spec, struct xb_error *err)
{
	char mode[16], uid[16], gid[16], size[24];
	const struct init_option options[] = {
		{ "mode", mode }, { "uid", uid }, { "gid", gid }, { "size", size }
	};
	unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			      (spec->read_only ? (unsigned)MOUNT_ATTR_RDONLY : 0);

	snprintf(mode, sizeof(mode), "%o", spec->mode & 07777);
	/* where owners are recorded there is one id, as which every user of the step runs */
	snprintf(uid, sizeof(uid), "%u", xb_owner_recorded() ? 0 : spec->uid);
	snprintf(gid, sizeof(gid), "%u", xb_owner_recorded() ? 0 : spec->gid);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)spec->size);
	return init_mount_new("tmpfs", options, XB_COUNT(options) - (spec->size == 0), attributes,
			      err);
}

static int make_content(const struct mounting *m, const struct xb_sandbox_mount *spec, size_t i,
			struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	char name[24];
	int r;

	snprintf(name, sizeof(name), "%zu", i);
	fd = make_file(m->files, name, spec->mode & 07777, err);
	if (fd < 0)
		return fd;
	r = xb_write_all(fd, spec->content.data, spec->content.len, err);
	if (r < 0)
		return r;
	if ((!xb_owner_recorded() && fchown(fd, spec->uid, spec->gid) < 0) ||
	    fchmod(fd, spec->mode & 07777) < 0)
		return xb_error_errno(err, -errno, "setting the owner");
	return init_mount_clone(m->files, name,
				MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					(spec->read_only ? (unsigned)MOUNT_ATTR_RDONLY : 0),
				false, err);
}

static int make_mount(struct mounting *m, size_t i, struct xb_error *err)
{
	const struct xb_sandbox_mount *spec = &m->spec->mounts.items[i];

	if (spec->kind == XB_SANDBOX_BIND)
		return XB_STEAL_FD(m->outside->binds[i]);
	if (spec->kind == XB_SANDBOX_TMPFS)
		return make_tmpfs(spec, err);
	return make_content(m, spec, i, err);
}

/* A place inside an earlier mount (a tmpfs, /dev) has no stub: its mount point is made there. */
static int make_point(int root, const struct init_place *place, struct xb_error *err)
{
	xb_auto_fd int parent = -1;
	xb_autofree char *above = NULL;
	const char *name = strrchr(place->path, '/') + 1;
	int fd;

	if (place->directory)
		return xb_mkdir_in_root(root, place->path, 0755, 0, 0, err);
	above = xb_view_dup((struct xb_view){ place->path, (size_t)(name - place->path) });
	parent = xb_mkdir_in_root(root, above, 0755, 0, 0, err);
	if (parent < 0)
		return parent;
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	return fd < 0 ? xb_error_errno(err, -errno, "making %s", place->path) : fd;
}

static int mount_own(struct mounting *m, size_t i, const struct init_place *place,
		     struct xb_error *err)
{
	xb_auto_fd int mount = make_mount(m, i, err);
	xb_auto_fd int target = -1;
	int r;

	if (mount < 0)
		return xb_error_wrap(err, mount, "the mount at %s", place->path);
	target = xb_open_in_root(m->root, place->path, O_PATH, 0, NULL);
	if (target == -ENOENT)
		target = make_point(m->root, place, err);
	r = target < 0 ? target : init_mount_attach(mount, target, err);
	return r < 0 ? xb_error_wrap(err, r, "mounting on %s", place->path) : 0;
}

static int make_own_points(int memory, struct xb_error *err)
{
	for (size_t i = 0; i < INIT_OWN_MOUNTS; i++) {
		if (mkdirat(memory, init_own_paths[i] + 1, 0755) < 0)
			return xb_error_errno(err, -errno, "making a directory in memory");
	}
	return 0;
}

int init_mounts_begin(const struct xb_sandbox_spec *spec, struct init_outside *outside,
		      struct init_stage *stage, struct xb_error *err)
{
	struct mounting m = { .spec = spec,
			      .outside = outside,
			      .root = stage->memory,
			      .files = stage->files,
			      .null = outside->nodes[INIT_NODE_NULL] };
	int r = make_own_points(stage->memory, err);

	if (r >= 0)
		r = mount_dev(&m, &stage->own[OWN_DEV], err);
	if (r >= 0)
		r = mount_proc(&m, &stage->own[OWN_PROC], err);
	return r < 0 ? r : mount_sys(&m, &stage->own[OWN_SYS], err);
}

int init_mounts_make(const struct xb_sandbox_spec *spec, struct init_outside *outside, int root,
		     const struct init_stage *stage, const struct init_places *places,
		     struct xb_error *err)
{
	struct mounting m = {
		.spec = spec, .outside = outside, .root = root, .files = stage->files
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < INIT_OWN_MOUNTS; i++)
		r = init_mount_attach_at(stage->own[i], root, init_own_paths[i], err);
	for (size_t i = 0; r >= 0 && i < spec->mounts.len; i++)
		r = mount_own(&m, i, &places->items[INIT_OWN_MOUNTS + i], err);
	return r;
}
