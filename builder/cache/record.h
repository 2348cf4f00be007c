/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Records: what a step gave, by the step's key; and what an unpacked base layer is, by its chain
 * ID.
 *
 * A record that is handed out is usable: its snapshot and blob are there and held by this process.
 * One that is not usable any more is dropped on the way, as if it had never been.
 */
#ifndef XB_BUILDER_CACHE_RECORD_H
#define XB_BUILDER_CACHE_RECORD_H

#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "builder/cache/snapshot.h"
#include "builder/cache/store.h"

/** Bytes of a record's key with its NUL. */
#define XB_RECORD_KEY_SIZE 160
/** What the key of a step's result begins with; a digest follows. */
#define XB_RECORD_STEP "step:"
/** What the key of an unpacked base layer begins with; its chain ID follows. */
#define XB_RECORD_CHAIN "chain:"
/** What the key of several layers merged into one snapshot begins with, likewise. */
#define XB_RECORD_MERGED "merged:"
/** What the key of a layer's roster begins with; the form's version and the diff ID follow. */
#define XB_RECORD_ROSTER "roster:1:"

/** The note of a step's record whose layer has to be unpacked over those below it to give the tree:
 *  it came from a cache elsewhere. */
#define XB_RECORD_STACKED "stacked"

/** One record; a plain value. */
struct xb_record {
	char key[XB_RECORD_KEY_SIZE];
	struct xb_snapshot snapshot; /**< empty id: the result has no tree of its own */
	struct xb_digest diff_id;    /**< of the uncompressed layer tar; may be empty */
	struct xb_digest blob;	     /**< the packed layer; empty: not packed (yet) */
	uint64_t blob_size;	     /**< bytes */
	char media_type[96];	     /**< of the blob */
	int64_t created;	     /**< seconds since 1970 */
	uint64_t duration;	     /**< nanoseconds that the step took */
	char note[1024]; /**< text that its maker keeps with it: of a fetched thing, what its next
			    fetch asks with; "" for none */
	char title[256]; /**< what made it, for people; "" for none */
};

/**
 * Find a record. Returns 1 and fills `ret` when there is a usable one, 0 when there is none, or
 * a negative errno.
 */
int xb_record_get(struct xb_store *store, const char *key, struct xb_record *ret,
		  struct xb_error *err);
/**
 * Add or replace a record. Its snapshot has been committed and its blob published before.
 * Errors: -EINVAL for a key that is empty or too long, -ENOENT when snapshot or blob are not there.
 */
int xb_record_put(struct xb_store *store, const struct xb_record *record, struct xb_error *err);
/** Remove a record; none is not an error. Its snapshot and blob stay until collected. */
int xb_record_remove(struct xb_store *store, const char *key, struct xb_error *err);

/** What the record names and is not there, as a sentence; NULL where all is there. */
const char *xb_record_flaw(const struct xb_store *store, const struct xb_record *record);

/**
 * Call `visit` for each record in order of key, usable or not, until it returns non-zero; returns
 * what the last call returned or a negative errno. `visit` must not use the store.
 */
int xb_record_each(struct xb_store *store,
		   int (*visit)(void *context, const struct xb_record *record), void *context,
		   struct xb_error *err);

#endif
