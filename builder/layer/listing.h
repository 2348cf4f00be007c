/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What a tree's entries were at one time, written to a file, so that what changed can be told
 * later without another copy of the tree.
 *
 * Of each entry its inode and the time of its last change (ctime) are noted, which nobody can set:
 * the kernel sets it whenever content, owner, mode, attributes or the number of names change.
 * Entries are in the order in which builder/layer/walk.h comes upon them, so that a later walk goes
 * along with the list: memory is constant, however large the tree is.
 */
#ifndef XB_BUILDER_LAYER_LISTING_H
#define XB_BUILDER_LAYER_LISTING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"

/** The name of the list in the directory where it is made. */
#define XB_LISTING_NAME "listing"

/** What is noted of an entry. */
struct xb_listed {
	uint64_t inode;
	int64_t changed; /**< ctime, seconds */
	int64_t born;	 /**< of a directory: when it was made, seconds; 0: not known */
	uint32_t changed_ns;
	uint32_t born_ns;
	uint32_t mode; /**< st_mode */
	uint32_t path_len;
};

/**
 * Write what is in the tree `tree` (not its root) to a new file XB_LISTING_NAME of the directory
 * `dir`, which is on the same file system.
 *
 * Returns when that file system's clock has gone on, so that every later change is seen: at once
 * or after some milliseconds; after two seconds where times are whole ones.
 */
int xb_listing_write(int tree, int dir, struct xb_error *err);

/** A list being read. */
struct xb_listing;

/** Read the list in `dir` from its start. */
int xb_listing_open(int dir, struct xb_listing **ret, struct xb_error *err);
/** Release; NULL is left alone. */
void xb_listing_free(struct xb_listing *listing);

XB_DEFINE_CLEANUP(xb_cleanup_listing, struct xb_listing, xb_listing_free)
#define xb_auto_listing XB_CLEANUP(xb_cleanup_listing)

/**
 * Read the next entry. Returns 1, 0 at the end, or a negative errno. `*ret_path`, relative to the
 * root of the tree, is borrowed until the next call.
 */
int xb_listing_next(struct xb_listing *listing, struct xb_listed *ret, const char **ret_path,
		    struct xb_error *err);

/** Note what the entry `name` of `dirfd` is; `st` is its status. */
void xb_listed_of(int dirfd, const char *name, const struct stat *st, struct xb_listed *ret);
/** Whether two notes are of the same entry, be it changed: for directories. */
bool xb_listed_same(const struct xb_listed *a, const struct xb_listed *b);
/** Whether nothing has changed of it between two notes. */
bool xb_listed_unchanged(const struct xb_listed *a, const struct xb_listed *b);

/** Compare two paths in the order of a walk: negative, 0 or positive. */
int xb_listing_order(const char *a, const char *b);

#endif
