/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The guard: in an emulated step, programs that the machine itself would run are refused.
 *
 * Without it a program for amd64 in an arm64 image works as long as the image is built on amd64,
 * and nobody notices before it is used. The step's binfmt_misc therefore has registrations for the
 * machine's own programs too, with a handler that says what was started by whom and ends with
 * status 126. The kernel looks at binfmt_misc again for every interpreter, so the handler and the
 * emulator, which are programs of the machine, would be refused as well: both are handed to the
 * step as copies that bear a mark (XB_BINFMT_MARK), which the registrations leave out.
 *
 * The mark is no secret. The guard is there against mistakes; a program that wants to run has
 * ways enough, since it runs in an emulator and not in another machine.
 * Source: Linux fs/binfmt_misc.c load_misc_binary(), fs/exec.c exec_binprm(), fs/binfmt_elf.c
 * load_elf_binary(), which compares the first four bytes of e_ident alone.
 */
#ifndef XB_EMULATION_GUARD_H
#define XB_EMULATION_GUARD_H

#include "base/array.h"
#include "base/error.h"
#include "platforms/arch.h"

/** Set the mark in the first EI_NIDENT bytes of an ELF file. */
void xb_guard_mark(unsigned char *ident);

/**
 * Append the registrations that refuse what a machine of `host` runs by itself (amd64: also 386 and
 * x32; arm64: also arm), but for programs of `target`. `handler` is the path of a program that
 * bears the mark, as the interpreter of xb_binfmt_line(). Errors: as xb_binfmt_line().
 */
int xb_guard_lines(const struct xb_arch *host, const struct xb_arch *target, const char *handler,
		   struct xb_strv *lines, struct xb_error *err);

/**
 * A copy of the program `path` in memory, marked and sealed. It is made once for each file and
 * belongs to the process for good: the descriptor is borrowed, close-on-exec, at any offset.
 * Thread-safe: a lock guards the table. Errors: those of open(), memfd_create() and of reading;
 * -ENOEXEC when it is no ELF file.
 */
int xb_guard_carry(const char *path, struct xb_error *err);

#endif
