/* SPDX-License-Identifier: Apache-2.0 */
/** A file of the user's that is there whole or not at all; for builder/solve/output*.c. */
#ifndef XB_BUILDER_SOLVE_OUTPUT_FILE_H
#define XB_BUILDER_SOLVE_OUTPUT_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

/** A file being written: one that is there already (standard output, a device, a pipe), or one
 * without a name until it is done. */
struct xb_output_file {
	int fd;
	char *path;	 /**< without links; NULL: what is written to was there */
	char *temporary; /**< a neighbour of `path`, the name that it has just before */
	bool named;	 /**< it has that name */
};
#define XB_OUTPUT_FILE_INIT ((struct xb_output_file){ .fd = -1 })

/**
 * Begin to write `dest`, "-" for standard output. A link stays, and its file is replaced. What is
 * neither a file nor a link to one is opened and written to, as a shell's ">" would do it: a named
 * pipe waits for its reader, until `*cancelled` (NULL: never) is set. Errors: those of creating,
 * -EISDIR, -ECANCELED (fault interrupted).
 */
int xb_output_file_open(struct xb_output_file *file, const char *dest, const atomic_bool *cancelled,
			struct xb_error *err);
/**
 * Set room for `size` bytes aside, as far as the file system can: -ENOSPC and such before anything
 * is written. A file that has its room is not flushed by the rename that gives it its name (ext4
 * does so with one whose blocks are yet to be found), which takes longer than writing it.
 */
int xb_output_file_reserve(struct xb_output_file *file, uint64_t size, struct xb_error *err);
/** All is written: the file gets its name. */
int xb_output_file_done(struct xb_output_file *file, struct xb_error *err);
/** Close; what was not done is removed. */
void xb_output_file_clear(struct xb_output_file *file);
#define xb_auto_output_file XB_CLEANUP(xb_output_file_clear)

/** -ECANCELED, fault interrupted, once the flag (NULL: none) is set; else 0. */
int xb_output_cancelled(const atomic_bool *cancelled, struct xb_error *err);

#endif
