/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/rosters.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "builder/cache/blob.h"
#include "builder/cache/keylock.h"
#include "builder/cache/limit.h"
#include "builder/layer/unpack.h"
#include "builder/solve/layers.h"

#define MEDIA_TYPE "application/vnd.xbuild.roster.v1"

struct xb_shapes {
	pthread_mutex_t mutex;
	struct xb_map *by_chain; /* under the mutex; what it holds does not change any more */
};

struct xb_shapes *xb_shapes_new(void)
{
	struct xb_shapes *shapes = xb_calloc(1, sizeof(*shapes));

	(void)pthread_mutex_init(&shapes->mutex, NULL);
	shapes->by_chain = xb_map_new();
	return shapes;
}

static int free_shape(void *context, const char *key, void *value)
{
	(void)context;
	(void)key;
	xb_shape_free(value);
	return 0;
}

void xb_shapes_free(struct xb_shapes *shapes)
{
	if (shapes == NULL)
		return;
	(void)xb_map_each(shapes->by_chain, free_shape, NULL);
	xb_map_free(shapes->by_chain);
	(void)pthread_mutex_destroy(&shapes->mutex);
	free(shapes);
}

static struct xb_shape *find(struct xb_shapes *shapes, const struct xb_digest *chain)
{
	struct xb_shape *shape;

	(void)pthread_mutex_lock(&shapes->mutex);
	shape = xb_map_get(shapes->by_chain, xb_view(chain->text));
	(void)pthread_mutex_unlock(&shapes->mutex);
	return shape;
}

/* Keep a shape, unless another thread was faster; the one that is kept. */
static struct xb_shape *keep(struct xb_shapes *shapes, const struct xb_digest *chain,
			     struct xb_shape *shape)
{
	struct xb_shape *known;

	(void)pthread_mutex_lock(&shapes->mutex);
	known = xb_map_get(shapes->by_chain, xb_view(chain->text));
	if (known == NULL)
		(void)xb_map_set(shapes->by_chain, xb_view(chain->text), shape);
	(void)pthread_mutex_unlock(&shapes->mutex);
	if (known == NULL)
		return shape;
	xb_shape_free(shape);
	return known;
}

/* Have the child write the roster of a layer into the store. */
static int make_blob(struct xb_store *store, const struct xb_result_layer *layer,
		     uint64_t max_layer, struct xb_record *record, struct xb_error *err)
{
	const struct xb_unpack_layer what = {
		.media_type = layer->media_type,
		.size = layer->blob_size,
		.digest = layer->blob,
		.diff_id = layer->diff_id,
	};
	const struct xb_unpack_limits limits = { .unpacked = max_layer };
	xb_auto_ingest struct xb_ingest *ingest = NULL;
	xb_auto_fd int blob = -1;
	const struct xb_digest like = xb_digest_of(NULL, 0);
	struct stat st = { 0 };
	int r = xb_layers_fetch_one(store, layer, err);

	if (r >= 0)
		r = xb_blob_open(store, &layer->blob, &blob, NULL, err);
	if (r >= 0)
		r = xb_blob_begin(store, &ingest, err);
	if (r >= 0)
		r = xb_layer_list(blob, &what, xb_ingest_fd(ingest), &limits, err);
	if (r < 0)
		return r;
	r = xb_digest_of_file(xb_ingest_fd(ingest), &like, &record->blob);
	if (r < 0 || fstat(xb_ingest_fd(ingest), &st) < 0)
		return xb_error_errno(err, r < 0 ? r : -errno, "reading a roster");
	record->blob_size = (uint64_t)st.st_size;
	return xb_blob_commit_as(ingest, &record->blob, record->blob_size, err);
}

static int make_roster(struct xb_store *store, const struct xb_result_layer *layer,
		       uint64_t max_layer, struct xb_record *record, struct xb_error *err)
{
	uint64_t start = xb_clock_monotonic();
	int r;

	xb_limit_enforce(store);
	r = make_blob(store, layer, max_layer, record, err);
	if (r < 0)
		return r;
	(void)snprintf(record->media_type, sizeof(record->media_type), "%s", MEDIA_TYPE);
	record->created = xb_clock_now();
	record->duration = xb_clock_monotonic() - start;
	return xb_record_put(store, record, err);
}

/* The record of a layer's roster: known, or made now. */
static int find_roster(struct xb_store *store, const struct xb_result_layer *layer,
		       uint64_t max_layer, struct xb_record *record, struct xb_error *err)
{
	xb_auto_keylock struct xb_keylock *lock = NULL;
	int r;

	(void)snprintf(record->key, sizeof(record->key), "%s%s", XB_RECORD_ROSTER,
		       layer->diff_id.text);
	r = xb_record_get(store, record->key, record, err);
	if (r != 0)
		return r;
	r = xb_keylock_take(store, record->key, true, &lock, err);
	if (r == 0)
		r = xb_record_get(store, record->key, record, err);
	return r == 0 ? make_roster(store, layer, max_layer, record, err) : r;
}

static int add_layer(struct xb_store *store, const struct xb_result_layer *layer,
		     uint64_t max_layer, struct xb_shape *shape, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_ROSTER);
	struct xb_record record = { 0 };
	int r = find_roster(store, layer, max_layer, &record, err);

	if (r >= 0)
		r = xb_blob_read(store, &record.blob, &text, err);
	if (r >= 0)
		r = xb_shape_add(shape, &text, err);
	return r < 0 ? xb_error_wrap(err, r, "listing layer %s", layer->blob.text) : 0;
}

int xb_shapes_get(struct xb_shapes *shapes, struct xb_store *store, const struct xb_result *result,
		  size_t count, uint64_t max_layer, const struct xb_shape **ret,
		  struct xb_error *err)
{
	const struct xb_digest *chain = &result->layers.items[count - 1].chain;
	xb_auto_shape struct xb_shape *shape = NULL;
	int r = 0;

	*ret = find(shapes, chain);
	if (*ret != NULL)
		return 0;
	r = xb_layers_fetch_unlisted(store, result, count, err);
	shape = xb_shape_new();
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_layer(store, &result->layers.items[i], max_layer, shape, err);
	if (r < 0)
		return r;
	*ret = keep(shapes, chain, XB_STEAL(shape));
	return 0;
}
