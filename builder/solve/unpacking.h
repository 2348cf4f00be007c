/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Snapshots of layers, above all those of base images, whose blobs are fetched where they are not
 * in the store (builder/solve/layers.h): each is made once however many processes and threads ask
 * for it, and recorded by its chain ID.
 *
 * The layers of an image are unpacked several at once, each alone (see xb_layer_unpack()), where
 * their blobs are still to come while these arrive, and then in their order, from the bottom: a
 * layer that hides names of those below it is completed there, and one that cannot be had alone is
 * unpacked there.
 *
 *	xb_unpacking_abreast()	as much as can be done at once
 *	xb_unpacking_layer()	for each of them from the bottom on
 *
 * Whoever does this may hold the locks of layers, and waits for those of layers below them only:
 * two builds never wait for each other. All functions are thread-safe.
 */
#ifndef XB_BUILDER_SOLVE_UNPACKING_H
#define XB_BUILDER_SOLVE_UNPACKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "builder/cache/store.h"
#include "builder/solve/result.h"

/** Where and how; all borrowed. */
struct xb_unpacking {
	struct xb_store *store;
	uint64_t max_layer;	  /**< no layer has more bytes; 0: a default by its blob's size */
	struct xb_strv *warnings; /**< gets lines about what could not be unpacked as it is */
};

/** Layers that were unpacked at once, some of them not yet complete; holds the locks of these. */
struct xb_abreast;

/**
 * Unpack what is missing of the layers from `first` to before `end`, as many at once as there are
 * processors, or blobs that are on their way, as far as that can be done without those below;
 * layers that others are unpacking are left to them. `*ret` is left alone where there is nothing to
 * do at once.
 *
 * When one fails no more are begun, and those at work are completed; the error is that of the
 * lowest that failed, and says which it is. Errors: those of xb_layer_unpack(), of xb_supply_blob()
 * and of the store.
 */
int xb_unpacking_abreast(const struct xb_unpacking *how, const struct xb_result_layers *layers,
			 size_t first, size_t end, struct xb_abreast **ret, struct xb_error *err);
/** Drop what was not completed. NULL is left alone. */
void xb_abreast_free(struct xb_abreast *abreast);

XB_DEFINE_CLEANUP(xb_abreast_cleanup, struct xb_abreast, xb_abreast_free)
#define xb_auto_abreast XB_CLEANUP(xb_abreast_cleanup)

/**
 * The snapshot of a layer: known, or made now over `lowers`, the paths of all that are below it,
 * top first. `abreast` may be NULL. Errors as above.
 */
int xb_unpacking_layer(const struct xb_unpacking *how, const struct xb_result_layer *layer,
		       struct xb_abreast *abreast, const struct xb_strv *lowers,
		       struct xb_snapshot *ret, struct xb_error *err);
/** Whether the layer has a snapshot. */
bool xb_unpacking_done(struct xb_store *store, const struct xb_result_layer *layer);

/**
 * Make a snapshot of a layer that was packed without one and needs nothing of what is below it;
 * `*ret` is for a record to name.
 */
int xb_unpacking_restore(const struct xb_unpacking *how, const struct xb_result_layer *layer,
			 struct xb_snapshot *ret, struct xb_error *err);

#endif
