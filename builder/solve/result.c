/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/result.h"

#include <stdio.h>
#include <stdlib.h>

#include "manifest/media.h"

void xb_result_clear(struct xb_result *result)
{
	xb_array_clear(&result->layers);
	free(result->key);
	free(result->apart);
	*result = (struct xb_result){ 0 };
}

const struct xb_digest *xb_result_chain(const struct xb_result *result)
{
	static const struct xb_digest none;

	return result->layers.len > 0 ? &result->layers.items[result->layers.len - 1].chain : &none;
}

void xb_result_copy(struct xb_result *result, const struct xb_result *from)
{
	for (size_t i = 0; from != NULL && i < from->layers.len; i++)
		*xb_array_push(&result->layers) = from->layers.items[i];
}

/* Source: OCI image-spec 1.1 config.md, "Layer ChainID". */
static struct xb_digest chain_of(const struct xb_digest *below, const struct xb_digest *diff_id)
{
	xb_autofree char *text = NULL;

	if (xb_digest_empty(below))
		return *diff_id;
	text = xb_format("%s %s", below->text, diff_id->text);
	return xb_digest_of(text, xb_view(text).len);
}

static struct xb_result_layer *add_layer(struct xb_result *result, const struct xb_digest *diff_id)
{
	struct xb_digest below = *xb_result_chain(result);
	struct xb_result_layer *layer = xb_array_push(&result->layers);

	layer->diff_id = *diff_id;
	layer->chain = chain_of(&below, diff_id);
	return layer;
}

void xb_result_push(struct xb_result *result, const struct xb_record *record)
{
	struct xb_result_layer *layer = add_layer(result, &record->diff_id);

	layer->blob = record->blob;
	layer->blob_size = record->blob_size;
	layer->snapshot = record->snapshot;
	layer->created = record->created;
	(void)snprintf(layer->media_type, sizeof(layer->media_type), "%s", record->media_type);
}

void xb_result_of_tree(struct xb_result *result, const struct xb_snapshot *snapshot,
		       const struct xb_digest *identity)
{
	add_layer(result, identity)->snapshot = *snapshot;
}

void xb_result_of_image(struct xb_result *result, const struct xb_image *image)
{
	for (size_t i = 0; i < image->manifest.layers.len; i++) {
		const struct xb_descriptor *blob = &image->manifest.layers.items[i];
		const struct xb_media *media = xb_media_lookup(blob->media_type);
		struct xb_result_layer *layer = add_layer(result, &image->config.diff_ids.items[i]);

		layer->blob = blob->digest;
		layer->blob_size = blob->size;
		(void)snprintf(layer->media_type, sizeof(layer->media_type), "%s",
			       xb_media_layer(media->compression, false));
	}
}
