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

/** How far the walls stand; zero means none of it. */
struct xb_confine {
	int writable_dir;     /**< a directory below which files may be made, or -1 */
	uint64_t memory;      /**< RLIMIT_AS in bytes; 0: as it is (set it so under sanitizers) */
	uint64_t file_size;   /**< RLIMIT_FSIZE in bytes; 0: as it is */
	uint64_t open_files;  /**< RLIMIT_NOFILE; 0: as it is */
	bool allow_mount_ops; /**< keep the calls that file capabilities, owners and nodes need */
};

/**
 * Close the walls: no new privileges, Landlock (where the kernel has it: writes and reads only
 * below `writable_dir`), resource limits, and a seccomp allow-list without execve, sockets, ptrace,
 * kill of others, mount or namespaces; refused calls fail with EPERM.
 */
int xb_confine_apply(const struct xb_confine *c, struct xb_error *err);

#endif
