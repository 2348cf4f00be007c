/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The store as a place (manifest/place.h), by itself or in front of a place that is far away.
 *
 * What goes through it is held by the store's lease, as all that blob.h gives. Blobs that an image
 * of the store needs and that were left in a registry (origin.h) are read from there, and may be
 * mounted from there.
 */
#ifndef XB_BUILDER_CACHE_PLACE_H
#define XB_BUILDER_CACHE_PLACE_H

#include "builder/cache/store.h"
#include "manifest/place.h"

/** The store, or the store and what is behind it; a plain value with nothing to release. */
struct xb_store_place {
	struct xb_place place;
	struct xb_store *store;	 /**< borrowed */
	struct xb_place *behind; /**< borrowed, or NULL */
};

/** The store alone: its tags, blobs and documents, for reading and writing. */
struct xb_store_place xb_store_place(struct xb_store *store);
/**
 * What `behind` has, read through the store: names are resolved there, documents are kept in the
 * store and read from it next time, blobs that the store has are taken from it.
 */
struct xb_store_place xb_store_place_before(struct xb_store *store, struct xb_place *behind);

/** Get a blob into the store unless it is there. Thread-safe. */
int xb_store_fetch_blob(struct xb_store *store, struct xb_place *from,
			const struct xb_descriptor *blob, struct xb_error *err);

#endif
