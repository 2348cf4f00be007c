/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/place.h"

#include <errno.h>

#include "builder/cache/blob.h"
#include "builder/cache/origin.h"
#include "builder/cache/supply.h"
#include "builder/cache/tag.h"
#include "manifest/place_layout.h"

static const struct xb_store_place *own(const struct xb_place *place)
{
	return (const struct xb_store_place *)place;
}

static int ingest_piece(void *context, const void *data, size_t len, struct xb_error *err)
{
	return xb_ingest_write(*(struct xb_ingest **)context, data, len, err);
}

static int store_put(struct xb_place *place, const struct xb_descriptor *blob,
		     const struct xb_blob_source *source, struct xb_error *err)
{
	xb_auto_ingest struct xb_ingest *ingest = NULL;
	const struct xb_blob_sink sink = { .context = &ingest, .write = ingest_piece };
	int r = xb_blob_begin(own(place)->store, &ingest, err);

	if (r == 0)
		r = xb_blob_pump(source, &sink, err);
	return r < 0 ? r : xb_blob_commit(ingest, &blob->digest, NULL, NULL, err);
}

static int store_put_document(struct xb_place *place, const struct xb_descriptor *document,
			      struct xb_view bytes, struct xb_error *err)
{
	(void)document;
	return xb_blob_put(own(place)->store, bytes, NULL, err);
}

static int store_read(struct xb_place *place, const struct xb_descriptor *document, size_t limit,
		      struct xb_str *text, struct xb_error *err)
{
	struct xb_store *store = own(place)->store;

	(void)xb_blob_has(store, &document->digest); /* it is then held */
	return xb_layout_blob_read(xb_store_layout(store), document, limit, text, err);
}

static int store_has(struct xb_place *place, const struct xb_descriptor *blob, bool *ret,
		     struct xb_error *err)
{
	(void)err;
	*ret = xb_blob_is_whole(own(place)->store, blob);
	return 0;
}

/* Whether a blob was left where it is from. */
static bool is_elsewhere(struct xb_store *store, const struct xb_descriptor *blob)
{
	return !xb_blob_is_whole(store, blob) && xb_origin_known(store, &blob->digest);
}

static int store_check(struct xb_place *place, const struct xb_descriptor *blob,
		       struct xb_error *err)
{
	struct xb_store *store = own(place)->store;
	xb_auto_fd int fd = -1;

	if (is_elsewhere(store, blob))
		return 0;
	return xb_layout_blob_open(xb_store_layout(store), &blob->digest, blob->size, &fd, err);
}

static int store_open(struct xb_place *place, const struct xb_descriptor *blob, int *ret_fd,
		      struct xb_error *err)
{
	struct xb_store *store = own(place)->store;

	if (is_elsewhere(store, blob))
		return -EREMOTE;
	return xb_layout_blob_open(xb_store_layout(store), &blob->digest, blob->size, ret_fd, err);
}

static int store_get(struct xb_place *place, const struct xb_descriptor *blob,
		     const struct xb_blob_sink *sink, struct xb_error *err)
{
	struct xb_store *store = own(place)->store;
	struct xb_place *layout = XB_PLACE_OF(xb_store_layout(store));

	if (is_elsewhere(store, blob))
		return xb_supply_stream(store, blob, sink, err);
	return layout->ops->get(layout, blob, sink, err);
}

static int store_resolve(struct xb_place *place, const char *name, struct xb_descriptor *ret,
			 struct xb_error *err)
{
	return xb_layout_resolve(xb_store_layout(own(place)->store), name, ret, err);
}

static int store_tag(struct xb_place *place, const char *tag, const struct xb_descriptor *document,
		     struct xb_view bytes, struct xb_error *err)
{
	(void)bytes;
	return xb_tag_set(own(place)->store, tag, document, err);
}

static struct xb_place *store_origin(struct xb_place *place, const struct xb_descriptor *blob,
				     size_t number)
{
	return xb_supply_origin(own(place)->store, &blob->digest, number);
}

static const struct xb_place_ops store_ops = {
	.resolve = store_resolve,
	.read = store_read,
	.has = store_has,
	.check = store_check,
	.get = store_get,
	.open = store_open,
	.put = store_put,
	.put_document = store_put_document,
	.tag = store_tag,
	.origin = store_origin,
};

struct xb_store_place xb_store_place(struct xb_store *store)
{
	return (struct xb_store_place){
		.place = { .ops = &store_ops, .name = xb_store_root(store) },
		.store = store,
	};
}

/* ---- in front of another ------------------------------------------------------------------ */

static struct xb_place *behind(const struct xb_place *place)
{
	return own(place)->behind;
}

static int before_resolve(struct xb_place *place, const char *name, struct xb_descriptor *ret,
			  struct xb_error *err)
{
	return behind(place)->ops->resolve(behind(place), name, ret, err);
}

/* What is damaged in the store is fetched again as what is missing. */
static int before_read(struct xb_place *place, const struct xb_descriptor *document, size_t limit,
		       struct xb_str *text, struct xb_error *err)
{
	size_t start = text->len;
	int r;

	if (store_read(place, document, limit, text, NULL) == 0)
		return 0;
	r = behind(place)->ops->read(behind(place), document, limit, text, err);
	if (r < 0)
		return r;
	return xb_blob_put(own(place)->store, xb_view_sub(xb_str_view(text), start, text->len),
			   NULL, err);
}

static int before_has(struct xb_place *place, const struct xb_descriptor *blob, bool *ret,
		      struct xb_error *err)
{
	*ret = xb_blob_is_whole(own(place)->store, blob);
	return *ret ? 0 : behind(place)->ops->has(behind(place), blob, ret, err);
}

static int before_check(struct xb_place *place, const struct xb_descriptor *blob,
			struct xb_error *err)
{
	if (xb_blob_is_whole(own(place)->store, blob))
		return 0;
	return behind(place)->ops->check(behind(place), blob, err);
}

static int before_get(struct xb_place *place, const struct xb_descriptor *blob,
		      const struct xb_blob_sink *sink, struct xb_error *err)
{
	if (xb_blob_is_whole(own(place)->store, blob))
		return store_get(place, blob, sink, err);
	return behind(place)->ops->get(behind(place), blob, sink, err);
}

static struct xb_place *before_origin(struct xb_place *place, const struct xb_descriptor *blob,
				      size_t number)
{
	(void)blob;
	return number == 0 ? behind(place) : NULL;
}

static const struct xb_place_ops before_ops = {
	.resolve = before_resolve,
	.read = before_read,
	.has = before_has,
	.check = before_check,
	.get = before_get,
	.origin = before_origin,
};

struct xb_store_place xb_store_place_before(struct xb_store *store, struct xb_place *rear)
{
	return (struct xb_store_place){
		.place = { .ops = &before_ops, .name = rear->name },
		.store = store,
		.behind = rear,
	};
}

/* A file can be cloned where the file system does that. */
static int import_file(struct xb_store *store, struct xb_place *from,
		       const struct xb_descriptor *blob, struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	int r = from->ops->open(from, blob, &fd, err);

	return r < 0 ? r : xb_blob_import(store, fd, &blob->digest, blob->size, err);
}

int xb_store_fetch_blob(struct xb_store *store, struct xb_place *from,
			const struct xb_descriptor *blob, struct xb_error *err)
{
	struct xb_store_place to = xb_store_place(store);

	if (xb_blob_is_whole(store, blob))
		return 0;
	if (from->ops->open != NULL)
		return import_file(store, from, blob, err);
	return xb_place_copy_blob(&to.place, from, blob, &(struct xb_transfer_watch){ 0 }, err);
}
