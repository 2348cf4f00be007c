/* SPDX-License-Identifier: Apache-2.0 */
/* xb_binfmt_probe() of emulation/binfmt.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/utsname.h>

#include "base/file.h"
#include "emulation/binfmt.h"

/* The first Linux whose user namespaces have instances of their own. */
#define NEEDED_MAJOR 6
#define NEEDED_MINOR 7

static bool release_is_enough(const char *release)
{
	char *end = NULL;
	unsigned long major = strtoul(release, &end, 10);
	unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;

	return major > NEEDED_MAJOR || (major == NEEDED_MAJOR && minor >= NEEDED_MINOR);
}

/* Append a small file of /proc; a missing one leaves `text` empty. */
static const char *read_proc(const char *path, struct xb_str *text)
{
	xb_str_reset(text);
	(void)xb_file_read(path, text, NULL);
	return xb_str_text(text);
}

/* A switch of the kernel that forbids user namespaces to this user, or NULL. */
static const char *forbidding_switch(void)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(256);

	if (strncmp(read_proc("/proc/sys/user/max_user_namespaces", &text), "0\n", 2) == 0)
		return "user.max_user_namespaces=15000";
	if (geteuid() == 0)
		return NULL;
	if (strncmp(read_proc("/proc/sys/kernel/unprivileged_userns_clone", &text), "0\n", 2) == 0)
		return "kernel.unprivileged_userns_clone=1";
	if (strncmp(read_proc("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", &text),
		    "1\n", 2) == 0)
		return "kernel.apparmor_restrict_unprivileged_userns=0";
	return NULL;
}

/* Opening a context makes nothing yet, but has the kernel load the module where there is one. */
static bool kernel_has_binfmt(void)
{
	xb_auto_fd int context = fsopen("binfmt_misc", FSOPEN_CLOEXEC);

	if (context >= 0)
		return true;
	return errno != ENODEV && access("/proc/sys/fs/binfmt_misc", F_OK) == 0;
}

static int refuse(struct xb_error *err, int r, const char *message)
{
	(void)xb_error_set(err, r, "%s", message);
	(void)xb_error_fault(err, XB_FAULT_PLATFORM);
	return r;
}

int xb_binfmt_probe(struct xb_error *err)
{
	const char *forbidding = forbidding_switch();
	struct utsname name;
	int r;

	if (uname(&name) < 0)
		return xb_error_errno(err, -errno, "asking for the kernel's version");
	if (!release_is_enough(name.release)) {
		r = xb_error_set(err, -ENOSYS, "Linux %s has no binfmt_misc for user namespaces",
				 name.release);
		(void)xb_error_hint(err, "private emulation needs Linux %d.%d or newer",
				    NEEDED_MAJOR, NEEDED_MINOR);
		(void)xb_error_fault(err, XB_FAULT_PLATFORM);
		return r;
	}
	if (!kernel_has_binfmt()) {
		r = refuse(err, -ENODEV, "this kernel has no binfmt_misc");
		(void)xb_error_hint(err, "load it as root: modprobe binfmt_misc");
		return r;
	}
	if (forbidding != NULL) {
		r = refuse(err, -EPERM, "user namespaces are switched off on this machine");
		(void)xb_error_hint(err, "switch them on as root: sysctl -w %s", forbidding);
		return r;
	}
	return 0;
}
