/* SPDX-License-Identifier: Apache-2.0 */
/** The inventory of a store: its items (item.h) at one moment. */
#ifndef XB_BUILDER_CACHE_INVENTORY_H
#define XB_BUILDER_CACHE_INVENTORY_H

#include "base/error.h"
#include "builder/cache/item.h"
#include "builder/cache/store.h"

/** Make the inventory of this moment. Trees that were not measured yet are walked. */
int xb_inventory_take(struct xb_store *store, struct xb_inventory *ret, struct xb_error *err);
/** Fill in the items' tags. */
int xb_inventory_tags(struct xb_store *store, struct xb_inventory *inventory, struct xb_error *err);

#endif
