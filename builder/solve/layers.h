/* SPDX-License-Identifier: Apache-2.0 */
/** The blobs of base images' layers, which are fetched when something needs their bytes. */
#ifndef XB_BUILDER_SOLVE_LAYERS_H
#define XB_BUILDER_SOLVE_LAYERS_H

#include "base/error.h"
#include "builder/cache/store.h"
#include "builder/solve/result.h"

/**
 * See to it that the blob of a layer is in the store: the place where a layer of a base comes from
 * its registry for a tree, a roster or another form. Errors: those of xb_supply_blob().
 * Thread-safe.
 */
int xb_layers_fetch_one(struct xb_store *store, const struct xb_result_layer *layer,
			struct xb_error *err);

/** What is made of a layer once its blob is there. */
enum xb_layers_for {
	XB_LAYERS_TREES,  /**< a snapshot */
	XB_LAYERS_ROSTERS /**< a list of what it holds */
};

/**
 * Fetch, several at once, the blobs of those layers of `result` from `first` to before `end` of
 * which this has not been made yet.
 */
int xb_layers_fetch(struct xb_store *store, const struct xb_result *result, size_t first,
		    size_t end, enum xb_layers_for what, struct xb_error *err);

#endif
