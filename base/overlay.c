/* SPDX-License-Identifier: Apache-2.0 */
#include "base/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/str.h"

/* How the directories are handed to the kernel, newest way first. */
enum hand_over {
	BY_DESCRIPTOR, /* FSCONFIG_SET_FD, Linux 6.13 */
	BY_PATH,       /* lowerdir+ one by one, Linux 6.5 */
	BY_LIST,       /* one string, through mount(): fsconfig() would take 255 bytes of it */
	HAND_OVER_WAYS
};

/* What mount() reads of its options, its end included: a page, whatever the machine's is. */
#define MAX_OPTIONS 4095

/* Options that are off unless the kernel was built otherwise, so one without them is right too.
 * What userxattr implies anyway (redirect_dir=nofollow) is an error to repeat. */
static const char *const options_off[] = { "metacopy", "index", "xino" };

/* The name under which the kernel finds an open directory, whatever its path looks like: store
 * paths may hold the colons and commas that overlay's option strings give a meaning to. */
static void descriptor_path(int fd, char path[32])
{
	snprintf(path, 32, "/proc/self/fd/%d", fd);
}

static int set_string(int fs, const char *key, const char *value)
{
	return fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) < 0 ? -errno : 0;
}

static int set_directory(int fs, enum hand_over how, const char *key, int fd)
{
	char path[32];

	if (how == BY_DESCRIPTOR)
		return fsconfig(fs, FSCONFIG_SET_FD, key, NULL, fd) < 0 ? -errno : 0;
	descriptor_path(fd, path);
	return set_string(fs, key, path);
}

static int set_lowers(int fs, const struct xb_overlay *o, enum hand_over how)
{
	for (size_t i = 0; i < o->lower_count; i++) {
		int r = set_directory(fs, how, "lowerdir+", o->lowers[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int set_options(int fs, const struct xb_overlay *o)
{
	if (fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
		return -errno;
	for (size_t i = 0; i < XB_COUNT(options_off); i++)
		set_string(fs, options_off[i], "off");
	if (o->lose_on_crash && fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0)
		return -errno;
	return 0;
}

static int configure(int fs, const struct xb_overlay *o, enum hand_over how)
{
	int r = set_lowers(fs, o, how);

	if (r >= 0 && o->upper >= 0)
		r = set_directory(fs, how, "upperdir", o->upper);
	if (r >= 0 && o->upper >= 0)
		r = set_directory(fs, how, "workdir", o->work);
	if (r >= 0)
		r = set_options(fs, o);
	if (r < 0)
		return r;
	return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
}

/* The kernel's last explanation, which it queues on the context, or "". */
static void explanation(int fs, char text[static 256])
{
	char line[256];
	ssize_t n;

	text[0] = '\0';
	while ((n = read(fs, line, sizeof(line) - 1)) > 2) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		snprintf(text, 256, "%s", line + 2); /* behind "e " */
	}
}

static void list_options(const struct xb_overlay *o, struct xb_str *list)
{
	char path[32];

	for (size_t i = 0; i < o->lower_count; i++) {
		descriptor_path(o->lowers[i], path);
		xb_str_printf(list, "%s%s", i > 0 ? ":" : "lowerdir=", path);
	}
	if (o->upper >= 0) {
		descriptor_path(o->upper, path);
		xb_str_printf(list, ",upperdir=%s", path);
		descriptor_path(o->work, path);
		xb_str_printf(list, ",workdir=%s", path);
	}
	xb_str_puts(list, o->lose_on_crash ? ",userxattr,volatile" : ",userxattr");
	for (size_t i = 0; i < XB_COUNT(options_off); i++)
		xb_str_printf(list, ",%s=off", options_off[i]);
}

/*
 * mount() has to attach what it makes: above "/", where no path of this process leads, since its
 * root is what lies below. From there ".." leads to whatever is on top, which is then copied
 * without being attached, and taken away. A process that dies meanwhile takes its private mount
 * namespace along.
 */
static int mount_and_detach(const char *options, unsigned long flags)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int view = -EAGAIN;

	pthread_mutex_lock(&lock);
	if (mount("overlay", "/", "overlay", flags, options) < 0) {
		view = -errno;
	} else {
		view = open_tree(AT_FDCWD, "/..", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		if (view < 0)
			view = -errno;
		(void)umount2("/..", MNT_DETACH);
	}
	pthread_mutex_unlock(&lock);
	return view;
}

static int mount_by_list(const struct xb_overlay *o, struct xb_error *err)
{
	xb_auto_str struct xb_str options = XB_STR_INIT(MAX_OPTIONS);
	int view;

	/* the attributes that mount() knows too have the same values there */
	_Static_assert(MOUNT_ATTR_RDONLY == MS_RDONLY && MOUNT_ATTR_NOSUID == MS_NOSUID &&
			       MOUNT_ATTR_NODEV == MS_NODEV && MOUNT_ATTR_NOEXEC == MS_NOEXEC,
		       "mount() and fsmount() agree");
	list_options(o, &options);
	if (xb_str_overflowed(&options))
		return xb_error_errno(err, -E2BIG, "mounting an overlay of %zu directories",
				      o->lower_count);
	view = mount_and_detach(xb_str_text(&options), o->attributes);
	return view < 0 ? xb_error_errno(err, view, "mounting an overlay of %zu directories",
					 o->lower_count)
			: view;
}

static int try_mount(const struct xb_overlay *o, enum hand_over how, struct xb_error *err)
{
	xb_auto_fd int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	char why[256];
	int r;

	if (how == BY_LIST)
		return mount_by_list(o, err);
	if (fs < 0)
		return xb_error_errno(err, -errno, "opening the overlay file system");
	r = configure(fs, o, how);
	if (r < 0) {
		explanation(fs, why);
		return xb_error_errno(err, r, "mounting an overlay of %zu directories%s%s",
				      o->lower_count, why[0] != '\0' ? ": " : "", why);
	}
	r = fsmount(fs, FSMOUNT_CLOEXEC, o->attributes);
	return r < 0 ? xb_error_errno(err, -errno, "mounting an overlay") : r;
}

/*
 * Whether an error may mean that the kernel does not know a way yet. For a descriptor as the value
 * of an option it is EOPNOTSUPP before Linux 6.5, and EBADF before 6.13, since it is an O_PATH one;
 * else EINVAL, sometimes only at the end.
 */
static bool is_unknown(int r)
{
	return r == -EINVAL || r == -EBADF || r == -EOPNOTSUPP;
}

int xb_overlay_mount(const struct xb_overlay *o, struct xb_error *err)
{
	int r = -EINVAL;

	if (o->lower_count == 0 || o->lower_count > XB_OVERLAY_MAX_LOWERS)
		return xb_error_set(err, -EINVAL, "an overlay of %zu directories", o->lower_count);

	for (int how = o->old_calls ? BY_LIST : BY_DESCRIPTOR;
	     how < HAND_OVER_WAYS && is_unknown(r); how++) {
		struct xb_error attempt = XB_ERROR_INIT;

		r = try_mount(o, (enum hand_over)how, &attempt);
		if (r < 0 && (!is_unknown(r) || how + 1 == HAND_OVER_WAYS) && err != NULL) {
			xb_error_clear(err);
			xb_error_move(err, &attempt);
		}
		xb_error_clear(&attempt);
	}
	return r;
}
