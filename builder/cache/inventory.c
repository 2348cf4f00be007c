/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/inventory.h"

#include "builder/cache/stock.h"
#include "builder/cache/tag.h"

static int take_locked(struct xb_store *store, const struct xb_uses *uses, struct xb_sweep *sweep,
		       struct xb_inventory *ret, struct xb_error *err)
{
	xb_auto_guard int guard = xb_guard_take(store, true, err);
	xb_auto_reach struct xb_reach reach = { 0 };
	struct xb_stock stock = { .store = store, .uses = uses, .sweep = sweep, .reach = &reach };
	int r = guard;

	if (r >= 0)
		r = xb_sweep_leases(store, sweep, err);
	if (r >= 0)
		r = xb_reach_roots(store, sweep, &reach, err);
	return r < 0 ? r : xb_stock_take(&stock, ret, err);
}

int xb_inventory_take(struct xb_store *store, struct xb_inventory *ret, struct xb_error *err)
{
	xb_auto_uses struct xb_uses uses = { 0 };
	struct xb_sweep sweep = XB_SWEEP_INIT;
	int r = xb_stock_measure(store, &uses, err);

	if (r >= 0)
		r = take_locked(store, &uses, &sweep, ret, err);
	xb_sweep_finish(store, &sweep);
	return r < 0 ? xb_store_wrap(err, r, "looking through %s", store->root) : 0;
}

static void add_tag(struct xb_item *item, const char *name)
{
	xb_autofree char *before = XB_STEAL(item->tags);

	item->tags = before == NULL ? xb_strdup(name) : xb_format("%s,%s", before, name);
}

int xb_inventory_tags(struct xb_store *store, struct xb_inventory *inventory, struct xb_error *err)
{
	xb_auto_tags struct xb_tags tags = { 0 };
	int r = xb_tag_list(store, &tags, err);

	for (size_t t = 0; r >= 0 && t < tags.len; t++) {
		xb_auto_reach struct xb_reach reach = { 0 };

		r = xb_reach_from(store, &tags.items[t].descriptor, &reach, err);
		for (size_t i = 0; r >= 0 && i < inventory->items.len; i++) {
			struct xb_item *item = &inventory->items.items[i];

			if (item->blob != NULL && xb_reach_has(&reach, item->blob))
				add_tag(item, tags.items[t].name);
		}
	}
	return r;
}
