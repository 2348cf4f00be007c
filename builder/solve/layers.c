/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/layers.h"

#include "base/pool.h"
#include "builder/cache/blob.h"

/* Layers that are fetched, each by its number. */
struct fetching {
	struct xb_store *store;
	struct XB_ARRAY(const struct xb_result_layer *) layers;
};

static void fetching_clear(struct fetching *f)
{
	xb_array_clear(&f->layers);
}

static void describe(const struct xb_result_layer *layer, struct xb_descriptor *ret)
{
	xb_descriptor_init(ret, layer->media_type, &layer->blob, layer->blob_size);
}

int xb_layers_fetch_watched(struct xb_store *store, const struct xb_result_layer *layer,
			    const struct xb_supply_watcher *watcher, struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor blob = XB_DESCRIPTOR_INIT;

	describe(layer, &blob);
	return xb_supply_watched(store, &blob, watcher, err);
}

int xb_layers_fetch_one(struct xb_store *store, const struct xb_result_layer *layer,
			struct xb_error *err)
{
	return xb_layers_fetch_watched(store, layer, NULL, err);
}

bool xb_layers_has(struct xb_store *store, const struct xb_result_layer *layer)
{
	xb_auto_descriptor struct xb_descriptor blob = XB_DESCRIPTOR_INIT;

	describe(layer, &blob);
	return xb_blob_is_whole(store, &blob);
}

static int fetch(void *context, size_t number, struct xb_error *err)
{
	const struct fetching *f = context;

	return xb_layers_fetch_one(f->store, f->layers.items[number], err);
}

/* Whether it has been listed already, or is a step's. */
static bool is_listed(struct xb_store *store, const struct xb_result_layer *layer)
{
	struct xb_record record = { 0 };
	xb_autofree char *key = xb_format("%s%s", XB_RECORD_ROSTER, layer->diff_id.text);

	return layer->snapshot.id[0] != '\0' || xb_record_get(store, key, &record, NULL) > 0;
}

int xb_layers_fetch_unlisted(struct xb_store *store, const struct xb_result *result, size_t count,
			     struct xb_error *err)
{
	XB_CLEANUP(fetching_clear) struct fetching f = { .store = store };

	for (size_t i = 0; i < count; i++) {
		const struct xb_result_layer *layer = &result->layers.items[i];

		if (!is_listed(store, layer))
			*xb_array_push(&f.layers) = layer;
	}
	return xb_pool_each(f.layers.len, fetch, &f, err);
}
