/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of emulation/binfmt.h that xbuild-init makes. Nothing but libc and base/error. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "emulation/binfmt.h"

static const char old_kernel[] =
	"private emulation needs Linux 6.7 or newer (`uname -r`) with binfmt_misc, and in a "
	"container leave to mount it";

static int fault(struct xb_error *err, int r, const char *hint)
{
	if (hint != NULL)
		(void)xb_error_hint(err, "%s", hint);
	(void)xb_error_fault(err, XB_FAULT_PLATFORM);
	return r;
}

int xb_binfmt_mount(struct xb_error *err)
{
	xb_auto_fd int context = fsopen("binfmt_misc", FSOPEN_CLOEXEC);
	int fd;
	int r;

	if (context < 0) {
		r = xb_error_errno(err, -errno, "opening a binfmt_misc instance");
		return fault(err, r, r == -ENODEV ? "load it: modprobe binfmt_misc" : old_kernel);
	}
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		r = xb_error_errno(err, -errno, "making a binfmt_misc instance");
		return fault(err, r, old_kernel);
	}
	fd = fsmount(context, FSMOUNT_CLOEXEC,
		     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fd < 0) {
		r = xb_error_errno(err, -errno, "mounting a binfmt_misc instance");
		return fault(err, r, old_kernel);
	}
	return fd;
}

/* The registration's name in a line: what stands between the first two delimiters. */
static struct xb_view line_name(const char *line)
{
	const char *end = line[0] != '\0' ? strchr(line + 1, line[0]) : NULL;

	if (end == NULL)
		return (struct xb_view){ NULL, 0 };
	return (struct xb_view){ line + 1, (size_t)(end - line) - 1 };
}

int xb_binfmt_register(int mountfd, const char *line, struct xb_error *err)
{
	xb_auto_fd int fd = openat(mountfd, "register", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	struct xb_view name = line_name(line);
	size_t len = strlen(line);
	ssize_t n;
	int r;

	if (fd < 0) {
		r = xb_error_errno(err, -errno, "opening binfmt_misc's register file");
		return fault(err, r, NULL);
	}
	/* One write is one registration: a second one for the rest would be another. */
	n = write(fd, line, len);
	if (n >= 0 && (size_t)n == len)
		return 0;
	r = xb_error_errno(err, n < 0 ? -errno : -EIO, "registering the emulator \"%.*s\"",
			   XB_VIEW_ARGS(name));
	return fault(err, r, NULL);
}
