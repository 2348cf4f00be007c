/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/layers.h"

#include "base/pool.h"
#include "builder/cache/blob.h"
#include "builder/cache/supply.h"

/* Layers that are fetched, each by its number. */
struct fetching {
	struct xb_store *store;
	struct XB_ARRAY(const struct xb_result_layer *) layers;
};

static void fetching_clear(struct fetching *f)
{
	xb_array_clear(&f->layers);
}

int xb_layers_fetch_one(struct xb_store *store, const struct xb_result_layer *layer,
			struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor blob = XB_DESCRIPTOR_INIT;

	xb_descriptor_init(&blob, layer->media_type, &layer->blob, layer->blob_size);
	return xb_supply_blob(store, &blob, err);
}

static int fetch(void *context, size_t number, struct xb_error *err)
{
	const struct fetching *f = context;

	return xb_layers_fetch_one(f->store, f->layers.items[number], err);
}

/* Whether it has been made of the layer already, or is a step's. */
static bool is_made(struct xb_store *store, const struct xb_result_layer *layer,
		    enum xb_layers_for what)
{
	struct xb_record record = { 0 };
	xb_autofree char *key = what == XB_LAYERS_TREES
					? xb_format("%s%s", XB_RECORD_CHAIN, layer->chain.text)
					: xb_format("%s%s", XB_RECORD_ROSTER, layer->diff_id.text);

	return layer->snapshot.id[0] != '\0' || xb_record_get(store, key, &record, NULL) > 0;
}

int xb_layers_fetch(struct xb_store *store, const struct xb_result *result, size_t first,
		    size_t end, enum xb_layers_for what, struct xb_error *err)
{
	XB_CLEANUP(fetching_clear) struct fetching f = { .store = store };

	for (size_t i = first; i < end; i++) {
		const struct xb_result_layer *layer = &result->layers.items[i];

		if (!is_made(store, layer, what))
			*xb_array_push(&f.layers) = layer;
	}
	return xb_pool_each(f.layers.len, fetch, &f, err);
}
