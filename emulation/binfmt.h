/* SPDX-License-Identifier: Apache-2.0 */
/**
 * binfmt_misc: telling the kernel which program runs another architecture's programs.
 *
 * Since Linux 6.7 each user namespace can have an instance of its own. The way of an emulated step:
 *
 *	builder   line = xb_binfmt_line(arch, name, interpreter)      pure; travels in the
 *specification init      unshare(CLONE_NEWUSER), maps written, still in the host's mount tree fd =
 *xb_binfmt_mount()                              an instance of this namespace
 *	          xb_binfmt_register(fd, line) for each line          opens the interpreter now
 *(flag F) pivot_root, and keep `fd` open in the step's pid 1
 *
 * A registration lives only as long as the instance: when the last descriptor of it is closed (it
 * need not be mounted anywhere) foreign programs fail with ENOEXEC at once. Child user namespaces
 * see the instance of their nearest ancestor that has one.
 *
 * The interpreter is a path which the *registering* process can open at that moment, in its own
 * root: "/usr/bin/qemu-aarch64-static" before pivoting, or "/proc/self/fd/N". Whether the path
 * exists later is of no importance, because of flag F.
 *
 * xb_binfmt_mount() and xb_binfmt_register() are in emulation/binfmt_mount.c, which needs nothing
 * but libc and base/error, since xbuild-init contains it.
 * Source: Linux Documentation/admin-guide/binfmt-misc.rst; System V gABI chapter 4 for the header.
 */
#ifndef XB_EMULATION_BINFMT_H
#define XB_EMULATION_BINFMT_H

#include <elf.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"
#include "platforms/arch.h"

/**
 * Flags of every registration: P keeps argv[0], O opens the program for the emulator (also when
 * it may only be executed, not read), C takes identity from the program, so that setuid programs
 * work in the step's namespace, F opens the emulator at registration.
 */
#define XB_BINFMT_FLAGS "POCF"
/**
 * Flags of a registration of the guard (emulation/guard.h): as above, but without C, since a
 * program that is refused lends nobody its identity.
 */
#define XB_BINFMT_GUARD_FLAGS "POF"
/**
 * The mark of xbuild's own programs: this bit of this byte of e_ident. It lies in the padding,
 * which must be zero by the System V gABI and which Linux does not look at.
 */
#define XB_BINFMT_MARK_AT (EI_NIDENT - 1)
#define XB_BINFMT_MARK	  0x80
/** The longest line that the kernel takes, its end included. */
#define XB_BINFMT_LINE_MAX 1920

/**
 * Append the registration line for programs of `arch` (no newline):
 * ":name:M::\x7fELF…:\xff…:interpreter:POCF". What the kernel and the emulator themselves look at
 * is compared (magic, class, byte order, ELF version, type EXEC or DYN, machine, the
 * ABI bits of e_flags where the row has some), the rest is masked.
 *
 * `name` is the file's name in the instance. A ':' in the interpreter is taken care of: another
 * character then stands between the fields.
 * Errors: -EINVAL for a name that is empty, ".", "..", "register", "status" or holds one of
 * "/:|;,!%", and for an interpreter that is not an absolute path; -ENAMETOOLONG when the line would
 * be longer than XB_BINFMT_LINE_MAX. `out` is then as it was.
 */
int xb_binfmt_line(const struct xb_arch *arch, const char *name, const char *interpreter,
		   struct xb_str *out, struct xb_error *err);

/**
 * Append a line that fits the programs of `arch` which do not bear the mark, whatever ABI their
 * e_flags name, of both classes (ELFCLASS32 and ELFCLASS64) when `any_class`. `interpreter` has to
 * bear it, or the kernel comes back to this registration until it gives up with ELOOP. Errors: as
 * xb_binfmt_line().
 */
int xb_binfmt_guard_line(const struct xb_arch *arch, bool any_class, const char *name,
			 const char *interpreter, struct xb_str *out, struct xb_error *err);

/**
 * Make a binfmt_misc instance of the current user namespace (the caller has CAP_SYS_ADMIN in it,
 * and is in a mount namespace that belongs to it: unshare both) and return a descriptor of its root
 * directory, mounted nowhere, close-on-exec. In the initial user namespace this would be the
 * machine's own instance: never call it there.
 *
 * Errors, fault platform: -EPERM (kernel before 6.7, no such capability, a mount namespace of
 * another), -ENODEV (kernel without binfmt_misc), -ENOSYS, each with a hint.
 */
int xb_binfmt_mount(struct xb_error *err);

/**
 * Write a line of xb_binfmt_line() to the "register" file of `mountfd`.
 * Errors, fault platform: -EEXIST for a name that is taken, -ENOENT, -EACCES when the interpreter
 * cannot be opened, -EINVAL for a line that the kernel does not like.
 */
int xb_binfmt_register(int mountfd, const char *line, struct xb_error *err);

/**
 * Whether this kernel and this user can have an instance of their own, as far as can be told
 * without making a namespace. Errors, fault platform, each with a hint: -ENOSYS for a kernel older
 * than 6.7, -ENODEV without binfmt_misc, -EPERM where user namespaces are switched off.
 */
int xb_binfmt_probe(struct xb_error *err);

#endif
