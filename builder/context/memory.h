/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the files of a context held when they were last read, so that files that have not changed
 * are not read again.
 *
 * A file is known by its device, inode, size, and the times of its last change and of the last
 * change of its inode, to the nanosecond. One whose times are so new that it could change again
 * without their showing it is not remembered, as git does with its index; nor is one that changed
 * while it was read. Whoever sets a file's inode time back (only the machine's clock does) or
 * changes bytes below the file system is not seen.
 *
 * The memory of one context is one file (builder/context/ledger.h), which may be removed at any
 * time. Neither it nor what a build adds to it is ever held whole, whatever the number of files:
 * what is new goes to files without names, and these into the memory when it is saved. Thread-safe,
 * but for opening and saving.
 */
#ifndef XB_BUILDER_CONTEXT_MEMORY_H
#define XB_BUILDER_CONTEXT_MEMORY_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/error.h"
#include "builder/context/ledger.h"

struct xb_context_memory;

/**
 * Open the memory of the context whose directory is `context_fd`, in the directory `dirfd`
 * (borrowed; it must outlive the memory). One that is missing, damaged or of another version is
 * empty.
 */
struct xb_context_memory *xb_context_memory_open(int dirfd, int context_fd);
/** Release without saving; NULL is left alone. */
void xb_context_memory_free(struct xb_context_memory *memory);

XB_DEFINE_CLEANUP(xb_context_memory_cleanup, struct xb_context_memory, xb_context_memory_free)
#define xb_auto_context_memory XB_CLEANUP(xb_context_memory_cleanup)

/**
 * What lets one thread look up many files: NULL when there is nothing to look up, or `memory` is
 * NULL. Released with xb_ledger_reader_free(), before the memory.
 */
struct xb_ledger_reader *xb_context_memory_reader(const struct xb_context_memory *memory);
/**
 * The digest of the regular file that `st` is of, if it is known; `memory` NULL knows none.
 * `reader`, which may be NULL, is from xb_context_memory_reader().
 */
bool xb_context_memory_find(struct xb_context_memory *memory, struct xb_ledger_reader *reader,
			    const struct stat *st, struct xb_digest *ret);
/** Remember a file's digest; `before` and `after` are its states around the reading. */
void xb_context_memory_add(struct xb_context_memory *memory, const struct stat *before,
			   const struct stat *after, const struct xb_digest *digest);
/** Write what is new to the disk, whole or not at all; nothing when nothing is. */
int xb_context_memory_save(struct xb_context_memory *memory, struct xb_error *err);

#endif
