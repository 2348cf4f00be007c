/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Walls around a process that reads foreign bytes: what it holds open stays usable, everything else
 * is denied. Applied by a child to itself, once, before it looks at its input.
 */
#ifndef XB_BASE_CONFINE_H
#define XB_BASE_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/** How far the walls stand. A zero limit is left as it is. */
struct xb_confine {
	int writable_dir;    /**< the directory below which files may be opened and made, or -1 */
	uint64_t memory;     /**< RLIMIT_AS in bytes; 0 under sanitizers, which reserve terabytes */
	uint64_t file_size;  /**< RLIMIT_FSIZE in bytes; what passes it fails with EFBIG */
	uint64_t open_files; /**< RLIMIT_NOFILE: descriptors of a higher number cannot be made */
	bool set_owners;     /**< keep the calls that set owners and extended attributes (file
				  capabilities among them) and that make device nodes */
};

/**
 * Close the walls, for good: no new privileges, no core file, Landlock (Linux 5.19 and later:
 * files are opened, made, renamed and removed only below `writable_dir`), resource limits, and a
 * seccomp allow-list. What is already open stays usable. The list has what reading, making and
 * describing files takes, memory that is not executable, time and random numbers; it has no
 * execve, threads, processes, sockets, ptrace, signals to others, mounts or namespaces. Refused
 * calls fail with EPERM; a call of another architecture's table ends the process.
 *
 * To be called while the process has one thread. It should end with _exit(): LeakSanitizer needs
 * calls at exit() that are refused.
 * Errors: those of setrlimit(), Landlock and seccomp; -ENOSYS without seccomp.
 */
int xb_confine_apply(const struct xb_confine *c, struct xb_error *err);

/** How far the walls around a program of the system stand. */
struct xb_confine_program {
	/** Directories below which files may be made, changed and removed, and everything that may
	 *  be read; vectors that end with NULL. A path that does not exist is passed over. */
	const char *const *writable;
	const char *const *readable; /**< files and directories that may be read and executed */
	uint64_t file_size;	     /**< RLIMIT_FSIZE in bytes; 0: as it is */
};

/**
 * Close walls around a process that goes on to execute a program it trusts with bytes that it does
 * not: no new privileges, no capabilities in any set (what root owns it still owns), no core file,
 * Landlock as said (Linux 5.19 and later; the devices null, zero, random and urandom are always
 * there; from Linux 6.7 on no TCP port can be bound; from 6.12 on no signals and no abstract
 * sockets out of the walls). Networking out stays possible, and so do threads and processes: they
 * inherit the walls.
 *
 * To be called while the process has one thread. Errors: those of the calls.
 */
int xb_confine_program(const struct xb_confine_program *c, struct xb_error *err);

#endif
