/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Ledgers: what is known of files, in order of their inodes, in a file that is read block by block.
 *
 * A ledger never changes, and none is ever whole in memory: what is held is the first inode of each
 * block of 64 entries, and the blocks that a reader has read last. Files of one directory have
 * inodes near each other, so that a walk reads each block about once. Threads may share a ledger,
 * each with a reader of its own. The bytes are in the host's order, since a ledger never leaves the
 * machine.
 */
#ifndef XB_BUILDER_CONTEXT_LEDGER_H
#define XB_BUILDER_CONTEXT_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

/** What is known of one file; no two entries of a ledger have the same inode and device. */
struct xb_ledger_entry {
	uint64_t inode;
	uint64_t device;
	uint64_t size;
	int64_t modified; /**< nanoseconds since 1970 */
	int64_t changed;  /**< likewise, of the inode */
	unsigned char digest[32];
};

/** Negative, 0 or positive, as the order of two entries is. */
int xb_ledger_order(const struct xb_ledger_entry *a, const struct xb_ledger_entry *b);

struct xb_ledger;

/**
 * Open the ledger that is the file `name` of `dirfd`: NULL when it is missing, of another version,
 * or not as it was written.
 */
struct xb_ledger *xb_ledger_open(int dirfd, const char *name);
/** Release; NULL is left alone. */
void xb_ledger_free(struct xb_ledger *ledger);
/** The number of its entries. */
size_t xb_ledger_count(const struct xb_ledger *ledger);

XB_DEFINE_CLEANUP(xb_ledger_cleanup, struct xb_ledger, xb_ledger_free)
#define xb_auto_ledger XB_CLEANUP(xb_ledger_cleanup)

/* ---- reading -------------------------------------------------------------------------------- */

/** Blocks of a ledger that were read lately; of one thread at a time. */
struct xb_ledger_reader;

/** A reader that holds up to `blocks` (at least 1) blocks of 4,608 bytes of `ledger`, borrowed. */
struct xb_ledger_reader *xb_ledger_reader_new(const struct xb_ledger *ledger, size_t blocks);
/** Release; NULL is left alone. */
void xb_ledger_reader_free(struct xb_ledger_reader *reader);

XB_DEFINE_CLEANUP(xb_ledger_reader_cleanup, struct xb_ledger_reader, xb_ledger_reader_free)
#define xb_auto_ledger_reader XB_CLEANUP(xb_ledger_reader_cleanup)

/**
 * The entry of a file, borrowed until the reader is used again, and its number in `*ret_index`
 * (which may be NULL); NULL when there is none, or it cannot be read.
 */
const struct xb_ledger_entry *xb_ledger_find(struct xb_ledger_reader *reader, uint64_t inode,
					     uint64_t device, size_t *ret_index);

/* ---- making --------------------------------------------------------------------------------- */

/** A ledger of `count` entries, in order, in a file of `dirfd` that has no name. */
int xb_ledger_of(int dirfd, const struct xb_ledger_entry *entries, size_t count,
		 struct xb_ledger **ret, struct xb_error *err);
/**
 * A ledger in a file without a name of all that is in the `count` ledgers of `from`; of a file that
 * several have, the last one's entry.
 */
int xb_ledger_merge(int dirfd, struct xb_ledger *const *from, size_t count, struct xb_ledger **ret,
		    struct xb_error *err);
/**
 * Likewise, written to the empty file `fd`, from which xb_ledger_open() reads it. `keeps` says of
 * the entries of the first ledger (which may be NULL: none) by their numbers which are wanted.
 */
int xb_ledger_write(int fd, struct xb_ledger *const *from, size_t count,
		    bool (*keeps)(const void *context, size_t index), const void *context,
		    struct xb_error *err);

#endif
