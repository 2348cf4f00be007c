/* SPDX-License-Identifier: Apache-2.0 */
/** How an inventory is made, in parts, for the modules of this directory only. */
#ifndef XB_BUILDER_CACHE_STOCK_H
#define XB_BUILDER_CACHE_STOCK_H

#include "builder/cache/item.h"
#include "builder/cache/lease.h"
#include "builder/cache/reach.h"
#include "builder/cache/use.h"

/**
 * Measure what has not been: trees of records once for all, caches and trees in the making now. Not
 * under the store lock: it walks. `ret` is zeroed.
 */
int xb_stock_measure(struct xb_store *store, struct xb_uses *ret, struct xb_error *err);

/** What an inventory is made from. */
struct xb_stock {
	struct xb_store *store;
	const struct xb_uses *uses;
	const struct xb_sweep *sweep;
	const struct xb_reach *reach;
	bool all; /**< trees are not kept because their blobs are tagged */
};
/** Make the inventory; under the exclusive store lock. `ret` is zeroed. */
int xb_stock_take(const struct xb_stock *stock, struct xb_inventory *ret, struct xb_error *err);

#endif
