/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A table from files (device and inode number) to numbers: which files have been met before, and
 * as which one. An inode number may be used again once its file is gone, so what the table says of
 * a file holds only while that file exists.
 */
#ifndef XB_BUILDER_LAYER_INODES_H
#define XB_BUILDER_LAYER_INODES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/cleanup.h"

/** One place of the table. */
struct xb_inode_slot {
	dev_t device;
	ino_t inode;
	size_t value; /**< plus 1; 0: the place is free */
};

/** The table; starts as XB_INODES_INIT. */
struct xb_inodes {
	struct xb_inode_slot *slots;
	size_t cap; /**< 0 or a power of two */
	size_t len; /**< places in use, at most three quarters of `cap` */
};

#define XB_INODES_INIT ((struct xb_inodes){ 0 })
/** What xb_inodes_get() says of an unknown file. */
#define XB_INODES_NONE SIZE_MAX

/** Release the table's memory. */
void xb_inodes_clear(struct xb_inodes *t);
#define xb_auto_inodes XB_CLEANUP(xb_inodes_clear)

/** The number recorded for the file that `st` describes, or XB_INODES_NONE. */
size_t xb_inodes_get(const struct xb_inodes *t, const struct stat *st);
/** Record `value` (not XB_INODES_NONE) for a file, in place of what was there. */
void xb_inodes_set(struct xb_inodes *t, const struct stat *st, size_t value);

#endif
