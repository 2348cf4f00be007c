/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Getting blobs that the store lacks from where their origins say that they are (origin.h), when
 * somebody needs the bytes.
 *
 * Who knows how to speak with registries attaches a supplier to the store; without one, what is not
 * here cannot be had. Each blob is fetched once, however many threads and processes want it.
 */
#ifndef XB_BUILDER_CACHE_SUPPLY_H
#define XB_BUILDER_CACHE_SUPPLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "builder/cache/store.h"
#include "manifest/descriptor.h"
#include "manifest/place.h"

/** Who opens repositories. */
struct xb_supplier {
	/** The repository `name` ("domain/path"), borrowed as long as the supplier is attached. Any
	 *  thread may ask. Fails where it may not be asked, saying why. */
	int (*open)(void *context, const char *name, struct xb_place **ret, struct xb_error *err);
	void *context; /**< given to `open` */
};

/** Attach a supplier, which is copied (NULL: none any more); while nobody else uses the store. */
void xb_supply_attach(struct xb_store *store, const struct xb_supplier *supplier);
/** End fetches, with -ECANCELED, once `*stop` is set (NULL: nothing ends them); as above. */
void xb_supply_stop_at(struct xb_store *store, const atomic_bool *stop);

/**
 * See to it that a blob is in the store, which then holds it: what is missing is fetched from the
 * first of its origins that gives it. Waits for whoever is fetching it. Nothing is left of a fetch
 * that fails.
 * Errors: -ENOENT, fault store: nobody knows where it is; those of the supplier and the registry;
 * -ECANCELED.
 */
int xb_supply_blob(struct xb_store *store, const struct xb_descriptor *blob, struct xb_error *err);

/** Who looks on while a blob comes into the store; all is called by the thread that fetches it. */
struct xb_supply_watcher {
	/** It begins: its bytes will be added to `fd` (borrowed, an empty regular file) in order.
	 */
	void (*begun)(void *context, int fd);
	/** The first `size` bytes of it are there: more than the last time. */
	void (*grown)(void *context, uint64_t size);
	/** What was there is about to be taken back: this try has failed, or begins again. */
	void (*undone)(void *context);
	void *context; /**< given to all of them */
};

/**
 * xb_supply_blob() with somebody who looks on (NULL: nobody), and is not called at all where there
 * is nothing to fetch, or another fetches it. Of one that begins and is not undone all bytes have
 * come, and are right, when this returns 0.
 */
int xb_supply_watched(struct xb_store *store, const struct xb_descriptor *blob,
		      const struct xb_supply_watcher *watcher, struct xb_error *err);
/** xb_supply_blob() for all of `blobs`, several at once. */
int xb_supply_all(struct xb_store *store, const struct xb_descriptors *blobs, struct xb_error *err);

/**
 * Give the bytes of a blob that is not in the store to `sink`, without keeping them. Errors as
 * xb_supply_blob().
 */
int xb_supply_stream(struct xb_store *store, const struct xb_descriptor *blob,
		     const struct xb_blob_sink *sink, struct xb_error *err);

/** Origin number `number` of a blob, borrowed from the supplier; NULL: there are no more. */
struct xb_place *xb_supply_origin(struct xb_store *store, const struct xb_digest *blob,
				  size_t number);

#endif
