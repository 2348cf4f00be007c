/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/imports.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "builder/cache/blob.h"
#include "builder/cache/origin.h"
#include "builder/cache/place.h"
#include "builder/cache/supply.h"
#include "builder/solve/cache_place.h"
#include "builder/solve/inline.h"

/* One cache. */
struct import {
	struct xb_cache_place place;
	struct xb_catalog catalog; /* of all platforms of the plan */
	bool damaged;		   /* layers that it names cannot be had */
};

struct xb_imports {
	struct xb_store *store;
	struct xb_platform *platforms; /* of the plan's steps, normalised, each once */
	size_t platform_count;
	struct XB_ARRAY(struct import *) caches;

	bool eager; /* nothing is left where it is */

	pthread_mutex_t mutex; /* guards what follows, and reading the caches */
	bool read;
	struct XB_ARRAY(struct xb_record *) left; /* of layers that are in registries */
	struct xb_map *left_by_key;
	struct xb_map *left_by_blob;
};

static void add_platform(struct xb_imports *imports, const struct xb_platform *platform)
{
	struct xb_platform normal = *platform;

	xb_platform_normalise(&normal);
	for (size_t i = 0; i < imports->platform_count; i++) {
		if (xb_platform_eq(&imports->platforms[i], &normal))
			return;
	}
	imports->platforms[imports->platform_count++] = normal;
}

int xb_imports_new(struct xb_store *store, const struct xb_plan *plan,
		   const struct xb_cache_specs *specs, const struct xb_registry_opener *opener,
		   struct xb_imports **ret, struct xb_error *err)
{
	xb_auto_imports struct xb_imports *imports = xb_calloc(1, sizeof(*imports));
	int r = 0;

	imports->store = store;
	imports->left_by_key = xb_map_new();
	imports->left_by_blob = xb_map_new();
	(void)pthread_mutex_init(&imports->mutex, NULL);
	imports->platforms = xb_calloc(plan->step_count + 1, sizeof(*imports->platforms));
	for (size_t i = 0; i < plan->step_count; i++)
		add_platform(imports, &plan->steps[i].platform);
	for (size_t i = 0; r == 0 && i < specs->len; i++) {
		struct import *import = xb_calloc(1, sizeof(*import));

		*xb_array_push(&imports->caches) = import;
		r = xb_cache_place_init(&import->place, &specs->items[i], opener, err);
	}
	if (r == 0)
		*ret = XB_STEAL(imports);
	return r;
}

void xb_imports_free(struct xb_imports *imports)
{
	if (imports == NULL)
		return;
	for (size_t i = 0; i < imports->caches.len; i++) {
		xb_catalog_clear(&imports->caches.items[i]->catalog);
		xb_cache_place_clear(&imports->caches.items[i]->place);
		free(imports->caches.items[i]);
	}
	xb_array_clear(&imports->caches);
	for (size_t i = 0; i < imports->left.len; i++)
		free(imports->left.items[i]);
	xb_array_clear(&imports->left);
	xb_map_free(imports->left_by_key);
	xb_map_free(imports->left_by_blob);
	free(imports->platforms);
	(void)pthread_mutex_destroy(&imports->mutex);
	free(imports);
}

/* ---- reading ------------------------------------------------------------------------------ */

static int read_pages(const struct xb_imports *imports, const struct xb_depot *depot,
		      struct xb_depot_view *view, struct xb_catalog *catalog, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < imports->platform_count; i++) {
		struct xb_depot_page *page = xb_depot_find(view, &imports->platforms[i]);

		if (page == NULL)
			continue;
		r = xb_depot_read(depot, page, err);
		if (r == 0)
			xb_catalog_merge(catalog, &page->catalog);
	}
	return r;
}

static int read_cache(const struct xb_imports *imports, struct import *import, struct xb_error *err)
{
	xb_auto_depot_view struct xb_depot_view view = { 0 };
	xb_auto_catalog struct xb_catalog catalog = { 0 };
	struct xb_depot depot = { 0 };
	int r = xb_cache_place_open(&import->place, false, &depot, err);

	if (r == 0)
		r = xb_depot_look(&depot, &view, err);
	if (r == 0 && view.foreign)
		r = xb_inline_read(&depot, &view.whole, imports->platforms, imports->platform_count,
				   &catalog, err);
	else if (r == 0)
		r = read_pages(imports, &depot, &view, &catalog, err);
	if (r == 0) {
		import->catalog = catalog;
		catalog = (struct xb_catalog){ 0 };
	}
	return r;
}

/* What is said of a cache is one line each. */
static void warn(const struct import *import, const struct xb_error *cause,
		 struct xb_strv *warnings)
{
	xb_strv_printf(warnings, "--cache-from %s: %s", import->place.spec->text, cause->message);
}

static void read_all(struct xb_imports *imports, struct xb_strv *warnings)
{
	for (size_t i = 0; i < imports->caches.len; i++) {
		struct import *import = imports->caches.items[i];
		xb_auto_error struct xb_error cause = XB_ERROR_INIT;

		if (read_cache(imports, import, &cause) < 0)
			warn(import, &cause, warnings);
	}
}

/* ---- finding ------------------------------------------------------------------------------ */

/* Get the layer of a record, and note in the store what it is. */
static int fetch(struct xb_imports *imports, const struct import *import,
		 const struct xb_descriptor *blob, const struct xb_record *taken,
		 struct xb_error *err)
{
	int r = xb_store_fetch_blob(imports->store, import->place.place, blob, err);

	return r == 0 ? xb_record_put(imports->store, taken, err) : r;
}

static void remember(struct xb_imports *imports, const struct xb_record *taken)
{
	struct xb_record *copy = xb_alloc(sizeof(*copy));

	*copy = *taken;
	(void)pthread_mutex_lock(&imports->mutex);
	*xb_array_push(&imports->left) = copy;
	(void)xb_map_set(imports->left_by_key, xb_view(copy->key), copy);
	(void)xb_map_set(imports->left_by_blob, xb_view(copy->blob.text), copy);
	(void)pthread_mutex_unlock(&imports->mutex);
}

/* Leave the layer in its repository, if it is there. */
static int leave(struct xb_imports *imports, const struct import *import,
		 const struct xb_descriptor *blob, const struct xb_record *taken,
		 struct xb_error *err)
{
	struct xb_place *place = import->place.place;
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	bool there = false;
	int r = place->ops->has(place, blob, &there, err);

	if (r == 0 && !there)
		r = xb_error_set(err, -ENOENT, "the layer %s has gone", blob->digest.text);
	(void)xb_descriptors_add(&blobs, blob);
	if (r == 0)
		r = xb_origin_put(imports->store, place->name, &blobs, err);
	if (r == 0)
		remember(imports, taken);
	return r;
}

static int take(struct xb_imports *imports, const struct import *import,
		const struct xb_catalog_record *record, struct xb_record *ret, struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor blob = XB_DESCRIPTOR_INIT;
	struct xb_record taken = xb_catalog_to_record(record);
	bool here;
	int r;

	xb_catalog_blob(record, &blob);
	(void)snprintf(taken.note, sizeof(taken.note), "%s", XB_RECORD_STACKED);
	/* asking puts it under the lease, so that its origin stays known */
	here = xb_blob_is_whole(imports->store, &blob);
	r = here || imports->eager || import->place.repository == NULL
		    ? fetch(imports, import, &blob, &taken, err)
		    : leave(imports, import, &blob, &taken, err);
	if (r == 0)
		*ret = taken;
	return r;
}

/* One whose layers cannot be had is told of once, and is not asked any more. */
static void give_up(struct xb_imports *imports, struct import *import, const struct xb_error *cause,
		    struct xb_strv *warnings)
{
	(void)pthread_mutex_lock(&imports->mutex);
	if (!import->damaged)
		warn(import, cause, warnings);
	import->damaged = true;
	(void)pthread_mutex_unlock(&imports->mutex);
}

/* The record of a key in the cache, NULL where there is none or it is of no use. */
static const struct xb_catalog_record *known(struct xb_imports *imports, struct import *import,
					     const char *key)
{
	const struct xb_catalog_record *record;

	(void)pthread_mutex_lock(&imports->mutex);
	record = import->damaged ? NULL : xb_catalog_find(&import->catalog, key);
	(void)pthread_mutex_unlock(&imports->mutex);
	return record;
}

static bool find_in(struct xb_imports *imports, struct import *import, const char *key,
		    struct xb_record *ret, struct xb_strv *warnings)
{
	const struct xb_catalog_record *record = known(imports, import, key);
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;

	if (record == NULL)
		return false;
	if (take(imports, import, record, ret, &cause) == 0)
		return true;
	give_up(imports, import, &cause, warnings);
	return false;
}

bool xb_imports_find(struct xb_imports *imports, const char *key, struct xb_record *ret,
		     struct xb_strv *warnings)
{
	if (imports == NULL)
		return false;
	(void)pthread_mutex_lock(&imports->mutex);
	if (!imports->read)
		read_all(imports, warnings);
	imports->read = true;
	(void)pthread_mutex_unlock(&imports->mutex);
	for (size_t i = 0; i < imports->caches.len; i++) {
		if (find_in(imports, imports->caches.items[i], key, ret, warnings))
			return true;
	}
	return false;
}

/* ---- what was left ------------------------------------------------------------------------ */

const struct xb_record *xb_imports_left(struct xb_imports *imports, const char *key)
{
	const struct xb_record *record;

	if (imports == NULL)
		return NULL;
	(void)pthread_mutex_lock(&imports->mutex);
	record = xb_map_get(imports->left_by_key, xb_view(key));
	(void)pthread_mutex_unlock(&imports->mutex);
	return record;
}

int xb_imports_fetch(struct xb_imports *imports, const struct xb_result *result,
		     struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };

	for (size_t i = 0; i < result->layers.len; i++) {
		const struct xb_result_layer *layer = &result->layers.items[i];

		if (xb_map_get(imports->left_by_blob, xb_view(layer->blob.text)) != NULL)
			xb_descriptor_init(xb_array_push(&blobs), layer->media_type, &layer->blob,
					   layer->blob_size);
	}
	return xb_supply_all(imports->store, &blobs, err);
}

bool xb_imports_distrust(struct xb_imports *imports, const struct xb_error *cause)
{
	bool possible = cause->fault == XB_FAULT_REGISTRY || cause->fault == XB_FAULT_STORE ||
			cause->fault == XB_FAULT_NONE;

	if (imports == NULL || imports->eager || imports->left.len == 0 || !possible ||
	    cause->code == -ECANCELED)
		return false;
	imports->eager = true;
	return true;
}

void xb_imports_record(struct xb_imports *imports)
{
	for (size_t i = 0; imports != NULL && i < imports->left.len; i++) {
		const struct xb_record *record = imports->left.items[i];
		xb_auto_descriptor struct xb_descriptor blob = XB_DESCRIPTOR_INIT;

		xb_descriptor_init(&blob, record->media_type, &record->blob, record->blob_size);
		if (xb_blob_is_whole(imports->store, &blob))
			(void)xb_record_put(imports->store, record, NULL);
	}
}
