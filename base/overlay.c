/* SPDX-License-Identifier: Apache-2.0 */
#include "base/overlay.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/str.h"

/* How the directories are handed to the kernel, newest way first. */
enum hand_over {
	BY_DESCRIPTOR, /* FSCONFIG_SET_FD, Linux 6.13 */
	BY_PATH,       /* lowerdir+ one by one, Linux 6.5 */
	BY_LIST,       /* one string, at most 255 bytes through fsconfig() */
	HAND_OVER_WAYS
};

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

static int set_lower_list(int fs, const struct xb_overlay *o)
{
	/* fsconfig() takes no string longer than 255 bytes */
	xb_auto_str struct xb_str list = XB_STR_INIT(255);

	for (size_t i = 0; i < o->lower_count; i++) {
		char path[32];

		descriptor_path(o->lowers[i], path);
		xb_str_printf(&list, "%s%s", i > 0 ? ":" : "", path);
	}
	if (xb_str_overflowed(&list))
		return -E2BIG;
	return set_string(fs, "lowerdir", xb_str_text(&list));
}

static int set_lowers(int fs, const struct xb_overlay *o, enum hand_over how)
{
	if (how == BY_LIST)
		return set_lower_list(fs, o);
	for (size_t i = 0; i < o->lower_count; i++) {
		int r = set_directory(fs, how, "lowerdir+", o->lowers[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int set_options(int fs, const struct xb_overlay *o)
{
	/* What userxattr implies anyway (redirect_dir=nofollow) is an error to repeat; the others
	 * are off unless the kernel was built otherwise, so a kernel without one is right too. */
	static const char *const off[] = { "metacopy", "index", "xino" };

	if (fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
		return -errno;
	for (size_t i = 0; i < XB_COUNT(off); i++)
		set_string(fs, off[i], "off");
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

static int try_mount(const struct xb_overlay *o, enum hand_over how, struct xb_error *err)
{
	xb_auto_fd int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	char why[256];
	int r;

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

	for (int how = BY_DESCRIPTOR; how < HAND_OVER_WAYS && is_unknown(r); how++) {
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
