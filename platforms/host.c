/* SPDX-License-Identifier: Apache-2.0 */
#include "platforms/host.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/utsname.h>

#include "base/file.h"
#include "base/proc.h"
#include "platforms/arch.h"

/* Which foreign architecture the kernel of an architecture may run by itself. */
static const struct {
	const char *host;
	const char *target;
} compat_pairs[] = {
	{ "amd64", "386" },
	{ "arm64", "arm" },
};

int xb_platform_host(struct xb_platform *ret, struct xb_error *err)
{
	const struct xb_arch *arch;
	struct utsname name;

	if (uname(&name) < 0)
		return xb_error_errno(err, -errno, "asking the kernel what machine this is");
	arch = xb_arch_of_machine(name.machine);
	if (arch == NULL) {
		(void)xb_error_set(err, -ENOTSUP, "this machine's architecture \"%s\" is not known",
				   name.machine);
		return xb_error_fault(err, XB_FAULT_PLATFORM);
	}
	*ret = xb_arch_platform(arch);
	return 0;
}

enum xb_native xb_native_by_name(const struct xb_platform *host, const struct xb_platform *target)
{
	struct xb_platform h = *host;
	struct xb_platform t = *target;

	xb_platform_normalise(&h);
	xb_platform_normalise(&t);
	if (strcmp(h.os, t.os) != 0)
		return XB_NATIVE_NO;
	/* Variants of arm are steps up; those of other architectures cannot be seen from here. */
	if (strcmp(h.arch, t.arch) == 0)
		return strcmp(h.arch, "arm") != 0 || xb_platform_rank(&h, &t) >= 0 ? XB_NATIVE_YES
										   : XB_NATIVE_NO;
	for (size_t i = 0; i < XB_COUNT(compat_pairs); i++)
		if (strcmp(h.arch, compat_pairs[i].host) == 0 &&
		    strcmp(t.arch, compat_pairs[i].target) == 0)
			return XB_NATIVE_COMPAT;
	return XB_NATIVE_NO;
}

/*
 * A 386 program that ends with status 42. One segment, loaded where its headers say:
 * b8 01 00 00 00  mov $1, %eax (exit)    bb 2a 00 00 00  mov $42, %ebx    cd 80  int $0x80
 */
static const unsigned char exit42_386[] = {
	0x7f, 'E',  'L',  'F',	1,    1,    1,	0, 0,	 0,    0,    0,	   0,
	0,    0,    0,				   /* 32-bit, little-endian */
	2,    0,    3,	  0,	1,    0,    0,	0, /* ET_EXEC, EM_386, version */
	0x54, 0x80, 0x04, 0x08,			   /* entry: behind the headers */
	0x34, 0,    0,	  0,	0,    0,    0,	0, 0,	 0,    0,    0,	   /* program headers, none,
									      flags */
	0x34, 0,    0x20, 0,	1,    0,    0,	0, 0,	 0,    0,    0,	   /* sizes and counts */
	1,    0,    0,	  0,	0,    0,    0,	0, 0,	 0x80, 0x04, 0x08, /* PT_LOAD, offset 0,
									      address */
	0,    0x80, 0x04, 0x08, 0x60, 0,    0,	0, 0x60, 0,    0,    0,	   /* address, sizes */
	5,    0,    0,	  0,	0,    0x10, 0,	0, /* r-x, aligned to a page */
	0xb8, 1,    0,	  0,	0,    0xbb, 42, 0, 0,	 0,    0xcd, 0x80, /* the program */
};

/* Whether the kernel executes 386 programs. An emulator that the machine registers for them would
 * do as well: what matters is that they run. */
static bool runs_386(void)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int fd = xb_memfd_new("xbuild-386", &err);
	struct xb_proc_status status = { 0 };
	char path[64];
	char *argv[] = { path, NULL };

	if (fd < 0 || xb_write_all(fd, exit42_386, sizeof(exit42_386), &err) < 0)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return xb_proc_run(argv, XB_VIEW(""), NULL, &status, &err) == 0 && status.exit_code == 42;
}

/* Whether the kernel and the processor execute 32-bit ARM programs: arm64 refuses the personality
 * when they do not. The personality is the calling thread's alone, and is put back. */
static bool runs_arm(void)
{
	int before = personality(0xffffffff);
	bool can;

	if (before < 0)
		return false;
	can = personality((unsigned long)((before & ~PER_MASK) | PER_LINUX32)) >= 0;
	(void)personality((unsigned long)before);
	return can;
}

static bool compat_works;

static void try_compat(void)
{
	struct xb_platform host;

	if (xb_platform_host(&host, NULL) < 0)
		return;
	compat_works = strcmp(host.arch, "amd64") == 0 ? runs_386() : runs_arm();
}

enum xb_native xb_native_here(const struct xb_platform *host, const struct xb_platform *target)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	enum xb_native native = xb_native_by_name(host, target);

	if (native != XB_NATIVE_COMPAT)
		return native;
	(void)pthread_once(&once, try_compat);
	return compat_works ? XB_NATIVE_COMPAT : XB_NATIVE_NO;
}
