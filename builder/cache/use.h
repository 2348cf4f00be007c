/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What is known of the store's things (snapshots and blobs, named as the lines of a lease are:
 * "s <snapshot>", "b <digest>"): when a process last held them, and how much room they take; for
 * the modules of this directory only.
 *
 * What a process held it has used. That is written once, when it closes the store, in one
 * transaction, and not at all where it was written within the last minute. Times are microseconds
 * since 1970; of things that one process used, those it met first are the youngest, since the
 * later ones stand on them. A time is a help for choosing what goes first and never a promise: the
 * clock may have jumped.
 */
#ifndef XB_BUILDER_CACHE_USE_H
#define XB_BUILDER_CACHE_USE_H

#include <stdint.h>

#include "base/array.h"
#include "base/map.h"
#include "builder/cache/disk.h"
#include "builder/cache/state.h"

/** What is known of a thing; -1: not known. */
struct xb_use {
	int64_t used;	/**< microseconds since 1970; 0: never noted */
	int64_t bytes;	/**< blocks on disk */
	int64_t inodes; /**< names below it and itself */
};

/** What is known of all things, by name. Starts zeroed. */
struct xb_uses {
	struct xb_map *by_name; /**< to index + 1 in `items` */
	struct xb_use_items XB_ARRAY(struct xb_use) items;
};

/** Release. */
void xb_uses_clear(struct xb_uses *uses);
#define xb_auto_uses XB_CLEANUP(xb_uses_clear)

/** Note that this process used what its lease holds; what cannot be noted is not. */
void xb_use_flush(struct xb_store *store);
/** Read what is known of all things; `ret` is zeroed. */
int xb_use_read(struct xb_store *store, struct xb_uses *ret, struct xb_error *err);
/** What is known of one. */
struct xb_use xb_use_of(const struct xb_uses *uses, const char *name);
/** Change what is known of one, in memory. */
void xb_uses_set(struct xb_uses *uses, const char *name, const struct xb_use *use);
/**
 * Remember sizes (used: as it is): `names` and `sizes` have the same length. What is remembered of
 * a snapshot stays true, as it never changes.
 */
int xb_use_put_sizes(struct xb_store *store, const struct xb_strv *names,
		     const struct xb_room *sizes, struct xb_error *err);
/** Forget things that are gone. */
int xb_use_forget(struct xb_store *store, const struct xb_strv *names, struct xb_error *err);

#endif
