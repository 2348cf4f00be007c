/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/catalog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "manifest/media.h"

#define VERSION 1

static void record_free(struct xb_catalog_record *record)
{
	free(record->title);
	free(record);
}

void xb_catalog_clear(struct xb_catalog *catalog)
{
	for (size_t i = 0; i < catalog->records.len; i++)
		record_free(catalog->records.items[i]);
	xb_array_clear(&catalog->records);
	xb_map_free(catalog->by_key);
	catalog->by_key = NULL;
}

static struct xb_catalog_record *find(const struct xb_catalog *catalog, const char *key)
{
	return catalog->by_key != NULL ? xb_map_get(catalog->by_key, xb_view(key)) : NULL;
}

const struct xb_catalog_record *xb_catalog_find(const struct xb_catalog *catalog, const char *key)
{
	return find(catalog, key);
}

/* ---- adding and removing ------------------------------------------------------------------ */

static int order(const struct xb_catalog_record *a, const struct xb_catalog_record *b)
{
	int by_diff_id = strcmp(a->diff_id.text, b->diff_id.text);
	int by_blob = strcmp(a->blob.text, b->blob.text);

	if (by_diff_id != 0)
		return by_diff_id;
	return by_blob != 0 ? by_blob : (a->created > b->created) - (a->created < b->created);
}

static void insert(struct xb_catalog *catalog, const struct xb_catalog_record *record)
{
	struct xb_catalog_record *copy = xb_alloc(sizeof(*copy));

	*copy = *record;
	copy->title = xb_strdup(record->title);
	*xb_array_push(&catalog->records) = copy;
	if (catalog->by_key == NULL)
		catalog->by_key = xb_map_new();
	(void)xb_map_set(catalog->by_key, xb_view(copy->key), copy);
}

static void replace(struct xb_catalog_record *known, const struct xb_catalog_record *record)
{
	int64_t used = known->used;

	free(known->title);
	*known = *record;
	known->title = xb_strdup(record->title);
	known->used = used;
}

bool xb_catalog_add(struct xb_catalog *catalog, const struct xb_catalog_record *record)
{
	struct xb_catalog_record *known = find(catalog, record->key);
	bool changed = known == NULL;

	if (known == NULL) {
		insert(catalog, record);
		return true;
	}
	if (order(record, known) < 0) {
		replace(known, record);
		changed = true;
	}
	changed |= record->used - known->used >= XB_CATALOG_FRESH;
	if (record->used > known->used)
		known->used = record->used;
	return changed;
}

void xb_catalog_merge(struct xb_catalog *catalog, const struct xb_catalog *from)
{
	for (size_t i = 0; i < from->records.len; i++)
		(void)xb_catalog_add(catalog, from->records.items[i]);
}

size_t xb_catalog_filter(struct xb_catalog *catalog,
			 bool (*keep)(void *context, const struct xb_catalog_record *record),
			 void *context)
{
	size_t before = catalog->records.len;
	size_t kept = 0;

	for (size_t i = 0; i < before; i++) {
		struct xb_catalog_record *record = catalog->records.items[i];

		if (keep(context, record)) {
			catalog->records.items[kept++] = record;
			continue;
		}
		(void)xb_map_remove(catalog->by_key, xb_view(record->key));
		record_free(record);
	}
	catalog->records.len = kept;
	return before - kept;
}

static int by_key(const void *a, const void *b)
{
	const struct xb_catalog_record *const *left = a;
	const struct xb_catalog_record *const *right = b;

	return strcmp((*left)->key, (*right)->key);
}

/* What was used last comes first. */
static int by_use(const void *a, const void *b)
{
	const struct xb_catalog_record *const *left = a;
	const struct xb_catalog_record *const *right = b;

	if ((*left)->used != (*right)->used)
		return (*left)->used > (*right)->used ? -1 : 1;
	return by_key(a, b);
}

/* Bounds, and how far they are used up. */
struct budget {
	struct xb_map *blobs; /* those that are counted */
	uint64_t bytes;
	size_t records;
	int64_t now;
};

static bool is_within(void *context, const struct xb_catalog_record *record)
{
	struct budget *budget = context;
	struct xb_view blob = xb_view(record->blob.text);
	bool counted = xb_map_get(budget->blobs, blob) != NULL;
	uint64_t bytes = counted ? 0 : record->blob_size;

	if (budget->now - record->used > XB_CATALOG_AGE || budget->records == XB_CATALOG_RECORDS ||
	    bytes > XB_CATALOG_BYTES - budget->bytes)
		return false;
	(void)xb_map_set(budget->blobs, blob, budget);
	budget->bytes += bytes;
	budget->records++;
	return true;
}

static void sort(struct xb_catalog *catalog, int (*compare)(const void *, const void *))
{
	if (catalog->records.len > 1)
		qsort(catalog->records.items, catalog->records.len, sizeof(*catalog->records.items),
		      compare);
}

size_t xb_catalog_prune(struct xb_catalog *catalog, int64_t now)
{
	xb_auto_map struct xb_map *blobs = xb_map_new();
	struct budget budget = { .blobs = blobs, .now = now };

	sort(catalog, by_use);
	return xb_catalog_filter(catalog, is_within, &budget);
}

/* ---- reading ------------------------------------------------------------------------------ */

static int read_digest(const json_t *object, const char *name, struct xb_digest *ret,
		       struct xb_error *err)
{
	const char *text = "";
	int r = xb_json_get_string(object, name, &text, err);

	if (r == 0 && xb_digest_parse(xb_view(text), ret, NULL) < 0)
		r = xb_error_set(err, -EBADMSG, "%s is no digest", name);
	return r;
}

static int read_time(const json_t *object, const char *name, int64_t *ret, struct xb_error *err)
{
	uint64_t number = 0;
	int r = xb_json_get_u64(object, name, &number, err);

	*ret = (int64_t)number; /* at most 2^53 */
	return r;
}

static int read_key(const json_t *object, struct xb_catalog_record *record, struct xb_error *err)
{
	struct xb_view prefix = XB_VIEW(XB_RECORD_STEP);
	struct xb_digest digest;
	const char *key = "";
	int r = xb_json_get_string(object, "key", &key, err);

	if (r < 0)
		return r;
	if (!xb_view_starts(xb_view(key), prefix) ||
	    xb_digest_parse(xb_view_sub(xb_view(key), prefix.len, SIZE_MAX), &digest, NULL) < 0)
		return xb_error_set(err, -EBADMSG, "key is none of a step");
	(void)snprintf(record->key, sizeof(record->key), "%s", key);
	return 0;
}

static int read_blob(const json_t *object, const struct xb_map *blobs,
		     struct xb_catalog_record *record, struct xb_error *err)
{
	const struct xb_descriptor *blob;
	const struct xb_media *media;
	int r = read_digest(object, "blob", &record->blob, err);

	if (r < 0)
		return r;
	blob = xb_map_get(blobs, xb_view(record->blob.text));
	if (blob == NULL)
		return xb_error_set(err, -EBADMSG, "blob is not among the manifest's layers");
	media = xb_media_lookup(blob->media_type);
	if (media->kind != XB_MEDIA_LAYER || media->foreign)
		return xb_error_set(err, -EBADMSG, "blob is no layer by its media type");
	record->blob_size = blob->size;
	record->media_type = xb_media_layer(media->compression, false);
	return 0;
}

static int read_record(const json_t *object, const struct xb_map *blobs, struct xb_catalog *catalog,
		       struct xb_error *err)
{
	struct xb_catalog_record record = { 0 };
	const char *title = NULL;
	int r = json_is_object(object) ? 0 : xb_error_set(err, -EBADMSG, "not an object");

	if (r == 0)
		r = read_key(object, &record, err);
	if (r == 0)
		r = read_digest(object, "diffID", &record.diff_id, err);
	if (r == 0)
		r = read_blob(object, blobs, &record, err);
	if (r == 0)
		r = read_time(object, "created", &record.created, err);
	if (r == 0)
		r = read_time(object, "used", &record.used, err);
	if (r == 0)
		r = xb_json_get_string(object, "title", &title, err);
	if (r < 0)
		return r;
	if (find(catalog, record.key) != NULL)
		return xb_error_set(err, -EBADMSG, "its key is there twice");
	insert(catalog, &record);
	catalog->records.items[catalog->records.len - 1]->title = xb_strdup(title);
	return 0;
}

static int read_records(const json_t *root, const struct xb_map *blobs, struct xb_catalog *catalog,
			struct xb_error *err)
{
	json_t *records = NULL;
	int r = xb_json_get_array(root, "records", &records, err);

	if (r == 0 && records == NULL)
		r = xb_error_set(err, -EBADMSG, "records is missing");
	if (r == 0 && json_array_size(records) > XB_CATALOG_RECORDS)
		r = xb_error_set(err, -EFBIG, "it has %zu records; at most %d are read",
				 json_array_size(records), XB_CATALOG_RECORDS);
	for (size_t i = 0; r == 0 && i < json_array_size(records); i++) {
		r = read_record(json_array_get(records, i), blobs, catalog, err);
		if (r < 0)
			return xb_error_wrap(err, r, "records[%zu]", i);
	}
	return r;
}

static int check_version(const json_t *root, struct xb_error *err)
{
	uint64_t version = 0;
	int r = json_is_object(root) ? xb_json_get_u64(root, "version", &version, err)
				     : xb_error_set(err, -EBADMSG, "not an object");

	if (r == 0 && version != VERSION)
		r = xb_error_set(err, -EPROTONOSUPPORT, "its version is %llu, this xbuild knows %d",
				 (unsigned long long)version, VERSION);
	return r;
}

int xb_catalog_parse(struct xb_view text, const struct xb_descriptors *blobs,
		     struct xb_catalog *ret, struct xb_error *err)
{
	xb_auto_catalog struct xb_catalog catalog = { 0 };
	xb_auto_map struct xb_map *by_digest = xb_map_new();
	xb_auto_json json_t *root = NULL;
	int r = xb_json_parse(text, XB_MAX_CATALOG, &root, err);

	for (size_t i = 0; i < blobs->len; i++)
		(void)xb_map_set(by_digest, xb_view(blobs->items[i].digest.text), &blobs->items[i]);
	if (r == 0)
		r = check_version(root, err);
	if (r == 0)
		r = read_records(root, by_digest, &catalog, err);
	if (r < 0)
		return xb_error_wrap(err, r, "list of cached steps");
	*ret = catalog;
	catalog = (struct xb_catalog){ 0 };
	return 0;
}

/* ---- writing ------------------------------------------------------------------------------ */

static json_t *write_record(const struct xb_catalog_record *record)
{
	json_t *object = json_object();

	xb_json_set_string(object, "key", record->key);
	xb_json_set_string(object, "diffID", record->diff_id.text);
	xb_json_set_string(object, "blob", record->blob.text);
	xb_json_set_u64(object, "created", (uint64_t)record->created);
	xb_json_set_u64(object, "used", (uint64_t)record->used);
	xb_json_set_string(object, "title", record->title);
	return object;
}

static int by_digest(const void *a, const void *b)
{
	const struct xb_descriptor *left = a;
	const struct xb_descriptor *right = b;

	return strcmp(left->digest.text, right->digest.text);
}

static void write_blobs(const struct xb_catalog *catalog, struct xb_descriptors *blobs)
{
	xb_auto_map struct xb_map *seen = xb_map_new();

	for (size_t i = 0; i < catalog->records.len; i++) {
		const struct xb_catalog_record *record = catalog->records.items[i];

		if (xb_map_set(seen, xb_view(record->blob.text), seen) == NULL)
			xb_catalog_blob(record, xb_array_push(blobs));
	}
	if (blobs->len > 1)
		qsort(blobs->items, blobs->len, sizeof(*blobs->items), by_digest);
}

int xb_catalog_write(const struct xb_catalog *catalog, struct xb_str *text,
		     struct xb_descriptors *blobs, struct xb_error *err)
{
	xb_auto_json json_t *root = json_object();
	json_t *records = json_array();
	struct xb_catalog sorted = { 0 };

	for (size_t i = 0; i < catalog->records.len; i++)
		*xb_array_push(&sorted.records) = catalog->records.items[i];
	sort(&sorted, by_key);
	xb_json_set_u64(root, "version", VERSION);
	for (size_t i = 0; i < sorted.records.len; i++)
		(void)json_array_append_new(records, write_record(sorted.records.items[i]));
	xb_json_set_new(root, "records", records);
	xb_array_clear(&sorted.records);
	write_blobs(catalog, blobs);
	return xb_json_write(root, text, err);
}

/* ---- in other forms ----------------------------------------------------------------------- */

struct xb_record xb_catalog_to_record(const struct xb_catalog_record *record)
{
	struct xb_record ret = {
		.diff_id = record->diff_id,
		.blob = record->blob,
		.blob_size = record->blob_size,
		.created = record->created,
	};

	(void)snprintf(ret.key, sizeof(ret.key), "%s", record->key);
	(void)snprintf(ret.media_type, sizeof(ret.media_type), "%s", record->media_type);
	(void)snprintf(ret.title, sizeof(ret.title), "%s",
		       record->title != NULL ? record->title : "");
	return ret;
}

struct xb_catalog_record xb_catalog_from_record(const struct xb_record *record, int64_t used)
{
	struct xb_catalog_record ret = {
		.diff_id = record->diff_id,
		.blob = record->blob,
		.blob_size = record->blob_size,
		.media_type = xb_media_lookup(record->media_type)->name,
		.created = record->created > 0 ? record->created : 0,
		.used = used,
		.title = record->title[0] != '\0' ? (char *)(uintptr_t)record->title : NULL,
	};

	(void)snprintf(ret.key, sizeof(ret.key), "%s", record->key);
	return ret;
}

void xb_catalog_blob(const struct xb_catalog_record *record, struct xb_descriptor *ret)
{
	xb_descriptor_init(ret, record->media_type, &record->blob, record->blob_size);
}
