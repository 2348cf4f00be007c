/* SPDX-License-Identifier: Apache-2.0 */
/** The blobs of base images' layers, which are fetched when something needs their bytes. */
#ifndef XB_BUILDER_SOLVE_LAYERS_H
#define XB_BUILDER_SOLVE_LAYERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "builder/cache/store.h"
#include "builder/cache/supply.h"
#include "builder/solve/result.h"

/**
 * See to it that the blob of a layer is in the store: the place where a layer of a base comes from
 * its registry for a tree, a roster or another form. Errors: those of xb_supply_blob().
 * Thread-safe.
 */
int xb_layers_fetch_one(struct xb_store *store, const struct xb_result_layer *layer,
			struct xb_error *err);

/** Likewise, with somebody who looks on (builder/cache/supply.h). */
int xb_layers_fetch_watched(struct xb_store *store, const struct xb_result_layer *layer,
			    const struct xb_supply_watcher *watcher, struct xb_error *err);

/** Whether the blob of a layer is in the store. */
bool xb_layers_has(struct xb_store *store, const struct xb_result_layer *layer);

/**
 * Fetch, several at once, the blobs of those of the first `count` layers of `result` that have no
 * roster yet.
 */
int xb_layers_fetch_unlisted(struct xb_store *store, const struct xb_result *result, size_t count,
			     struct xb_error *err);

#endif
