/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/pool.h"
#include "builder/cache/history.h"
#include "builder/solve/depot.h"
#include "manifest/index.h"
#include "manifest/manifest.h"
#include "manifest/media.h"

/* Where tags cannot be listed: how often a writer looks whether what it wrote is still there. */
#define MOST_TRIES 16

void xb_depot_entries_clear(struct xb_depot_entries *entries)
{
	for (size_t i = 0; i < entries->len; i++)
		xb_catalog_clear(&entries->items[i].catalog);
	xb_array_clear(entries);
}

struct xb_catalog *xb_depot_entry(struct xb_depot_entries *entries,
				  const struct xb_platform *platform)
{
	struct xb_platform wanted = *platform;
	struct xb_depot_entry *entry;

	xb_platform_normalise(&wanted);
	for (size_t i = 0; i < entries->len; i++) {
		if (xb_platform_eq(&entries->items[i].platform, &wanted))
			return &entries->items[i].catalog;
	}
	entry = xb_array_push(entries);
	entry->platform = wanted;
	return &entry->catalog;
}

/* One attempt at writing. */
struct attempt {
	const struct xb_depot *depot;
	const struct xb_depot_writing *what;
	struct xb_depot_view view;
	struct xb_catalog news; /* records that are new to the depot, whose blobs are to be sent */
	struct xb_depot_written written;
	bool *changed; /* by page */
};

static void attempt_clear(struct attempt *a)
{
	xb_depot_view_clear(&a->view);
	xb_catalog_clear(&a->news);
	free(a->changed);
}

/* ---- merging ------------------------------------------------------------------------------ */

static struct xb_depot_page *page_of(struct xb_depot_view *view, const struct xb_platform *platform)
{
	struct xb_depot_page *page = xb_depot_find(view, platform);

	if (page != NULL)
		return page;
	page = xb_array_push(&view->pages);
	page->platform = *platform;
	return page;
}

static bool is_same_layer(const struct xb_catalog_record *a, const struct xb_catalog_record *b)
{
	return a != NULL && xb_digest_eq(&a->blob, &b->blob);
}

/* Add what is to be added to a page, and note what is new of it. */
static bool add_records(struct attempt *a, struct xb_depot_page *page,
			const struct xb_catalog *catalog)
{
	bool changed = false;

	for (size_t i = 0; i < catalog->records.len; i++) {
		const struct xb_catalog_record *record = catalog->records.items[i];
		const struct xb_catalog_record *known =
			xb_catalog_find(&page->catalog, record->key);
		bool there = is_same_layer(known, record);

		a->written.added += known == NULL;
		changed |= xb_catalog_add(&page->catalog, record);
		if (!there && is_same_layer(xb_catalog_find(&page->catalog, record->key), record))
			(void)xb_catalog_add(&a->news, record);
	}
	return changed;
}

static int merge_entry(struct attempt *a, const struct xb_depot_entry *entry, struct xb_error *err)
{
	struct xb_depot_page *page = page_of(&a->view, &entry->platform);
	int r = xb_depot_read(a->depot, page, err);

	if (r < 0)
		return r;
	if (add_records(a, page, &entry->catalog)) {
		a->written.dropped += xb_catalog_prune(&page->catalog, a->what->now);
		a->changed[page - a->view.pages.items] = true;
	}
	a->written.records += page->catalog.records.len;
	return 0;
}

/* All pages as they shall be. Returns 1 when anything is to be written, 0 when all is there. */
static int merge(struct attempt *a, struct xb_error *err)
{
	const struct xb_depot_entries *entries = a->what->entries;
	bool any = a->view.loose > 0 && a->view.listed;
	int r = 0;

	a->changed = xb_calloc(a->view.pages.len + entries->len + 1, sizeof(*a->changed));
	for (size_t i = 0; r == 0 && i < entries->len; i++)
		r = merge_entry(a, &entries->items[i], err);
	for (size_t i = 0; r == 0 && i < a->view.pages.len; i++) {
		struct xb_depot_page *page = &a->view.pages.items[i];

		a->changed[i] |= page->sheets.len > 1;
		if (a->changed[i])
			r = xb_depot_read(a->depot, page, err);
		any |= a->changed[i];
	}
	return r < 0 ? r : any;
}

/* ---- sending ------------------------------------------------------------------------------ */

static int send_blob(void *context, size_t number, struct xb_error *err)
{
	const struct attempt *a = context;
	const struct xb_catalog_record *record = a->news.records.items[number];
	struct xb_place *from = a->what->source(a->what->context, record);
	static const struct xb_transfer_watch nobody;
	xb_auto_descriptor struct xb_descriptor blob = XB_DESCRIPTOR_INIT;

	xb_catalog_blob(record, &blob);
	return xb_place_copy_blob(a->depot->place, from, &blob, &nobody, err);
}

static ssize_t read_memory(void *context, uint64_t offset, void *data, size_t size,
			   struct xb_error *err)
{
	struct xb_view part = xb_view_sub(*(const struct xb_view *)context, (size_t)offset, size);

	(void)err;
	if (part.len > 0)
		memcpy(data, part.data, part.len);
	return (ssize_t)part.len;
}

/* Send bytes that are in memory, as a blob of the type; `ret`, empty on entry, gets what it is. */
static int send_bytes(const struct attempt *a, struct xb_view bytes, const char *media_type,
		      struct xb_descriptor *ret, struct xb_error *err)
{
	const struct xb_blob_source source = { .context = &bytes, .read = read_memory };
	struct xb_digest digest = xb_digest_of(bytes.data, bytes.len);
	struct xb_place *to = a->depot->place;
	bool there = false;
	int r;

	xb_descriptor_init(ret, media_type, &digest, bytes.len);
	r = to->ops->has(to, ret, &there, err);
	return r < 0 || there ? r : to->ops->put(to, ret, &source, err);
}

static int send_document(const struct attempt *a, struct xb_view bytes, const char *media_type,
			 struct xb_descriptor *ret, struct xb_error *err)
{
	struct xb_digest digest = xb_digest_of(bytes.data, bytes.len);
	struct xb_place *to = a->depot->place;

	xb_descriptor_init(ret, media_type, &digest, bytes.len);
	return to->ops->put_document(to, ret, bytes, err);
}

static int send_sheet(const struct attempt *a, const struct xb_depot_page *page,
		      struct xb_descriptor *ret, struct xb_error *err)
{
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	xb_auto_str struct xb_str list = XB_STR_INIT(XB_MAX_CATALOG);
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	int r = xb_catalog_write(&page->catalog, &list, &manifest.layers, err);

	manifest.artifact_type = xb_strdup(XB_MEDIA_DEPOT);
	if (r == 0)
		r = send_bytes(a, xb_str_view(&list), XB_MEDIA_CATALOG, &manifest.config, err);
	if (r == 0)
		r = xb_manifest_write(&manifest, &text, err);
	return r < 0 ? r : send_document(a, xb_str_view(&text), XB_MEDIA_OCI_MANIFEST, ret, err);
}

/* Whether the blob of a record is there; nobody knows where it cannot be asked. */
static bool is_there(void *context, const struct xb_catalog_record *record)
{
	const struct attempt *a = context;
	xb_auto_descriptor struct xb_descriptor blob = XB_DESCRIPTOR_INIT;
	bool there = true;

	xb_catalog_blob(record, &blob);
	return a->depot->place->ops->has(a->depot->place, &blob, &there, NULL) < 0 || there;
}

/*
 * Send a page's manifest. A registry that refuses it may have lost blobs of older records: those
 * records are of no use to anybody.
 */
static int send_page(struct attempt *a, struct xb_depot_page *page, struct xb_descriptor *ret,
		     struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor refused = XB_DESCRIPTOR_INIT;
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	size_t lost = 0;
	int r = send_sheet(a, page, &refused, &cause);

	if (r == 0) {
		*ret = refused;
		refused = XB_DESCRIPTOR_INIT;
	} else if (r != -ECANCELED) {
		lost = xb_catalog_filter(&page->catalog, is_there, a);
	}
	if (lost > 0)
		return send_sheet(a, page, ret, err);
	if (r < 0 && err != NULL)
		xb_error_move(err, &cause);
	return r;
}

/* The sheets of all pages: those that have changed sent anew, the others as they are. */
static int send_pages(struct attempt *a, struct xb_descriptors *sheets, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->view.pages.len; i++) {
		struct xb_depot_page *page = &a->view.pages.items[i];
		xb_auto_descriptor struct xb_descriptor sheet = XB_DESCRIPTOR_INIT;

		if (!a->changed[i]) {
			(void)xb_descriptors_add(sheets, &page->sheets.items[0]);
			continue;
		}
		r = send_page(a, page, &sheet, err);
		if (r < 0)
			return r;
		sheet.artifact_type = xb_strdup(XB_MEDIA_DEPOT);
		xb_descriptor_set_platform(&sheet, &page->platform);
		(void)xb_descriptors_add(sheets, &sheet);
	}
	return r;
}

/* ---- naming ------------------------------------------------------------------------------- */

/* Send an index over `sheets` with an annotation, and let `tag` mean it. */
static int send_index(const struct attempt *a, const struct xb_descriptors *sheets,
		      const char *annotation, const char *value, const char *tag,
		      struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	struct xb_place *to = a->depot->place;
	int r;

	index.artifact_type = xb_strdup(XB_MEDIA_DEPOT);
	xb_descriptors_copy(&index.manifests, sheets);
	xb_annotations_set(&index.annotations, annotation, value);
	r = xb_index_write(&index, &text, err);
	if (r == 0)
		r = send_document(a, xb_str_view(&text), XB_MEDIA_OCI_INDEX, &root, err);
	return r < 0 ? r : to->ops->tag(to, tag, &root, xb_str_view(&text), err);
}

/* The names of the parts that the new part holds, itself first. */
static char *name_parts(const struct attempt *a, const char *own)
{
	size_t prefix = strlen(a->depot->tag) + strlen(XB_DEPOT_PART);
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;

	xb_strv_push(&names, own);
	for (size_t i = 0; i < a->view.parts.len; i++)
		xb_strv_push(&names, a->view.parts.items[i] + prefix);
	return xb_strv_join(&names, " ");
}

/* What a part means still; false when it has gone. */
static bool find_part(struct xb_place *place, const char *tag, struct xb_descriptor *ret)
{
	return place->ops->resolve(place, tag, ret, NULL) == 0;
}

/*
 * Remove the parts that the new one holds. Many a registry does not let its users remove anything:
 * then they stay, and the whole says that they need not be read.
 */
static void remove_parts(const struct attempt *a)
{
	struct xb_place *place = a->depot->place;
	int r = place->ops->untag != NULL ? 0 : -ENOTSUP;

	for (size_t i = 0; r == 0 && i < a->view.parts.len; i++) {
		const char *tag = a->view.parts.items[i];
		xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;

		/* another writer removes them, too */
		if (find_part(place, tag, &root))
			r = place->ops->untag(place, tag, &root, NULL);
		if (r == -ENOENT)
			r = 0;
	}
}

/* The part before the whole: what the whole says of parts has to be true. */
static int name_all(const struct attempt *a, const struct xb_descriptors *sheets,
		    struct xb_error *err)
{
	char own[XB_HISTORY_ID_SIZE];
	xb_autofree char *tag = NULL;
	xb_autofree char *parts = NULL;
	int r = 0;

	xb_history_new_id(own);
	tag = xb_format("%s" XB_DEPOT_PART "%s", a->depot->tag, own);
	parts = name_parts(a, own);
	if (a->view.listed)
		r = send_index(a, sheets, XB_ANNOTATION_PART, own, tag, err);
	if (r == 0)
		r = send_index(a, sheets, XB_ANNOTATION_PARTS, a->view.listed ? parts : "",
			       a->depot->tag, err);
	if (r == 0)
		remove_parts(a);
	return r;
}

/* ---- all of it ---------------------------------------------------------------------------- */

static int refuse_foreign(const struct xb_depot *depot, struct xb_error *err)
{
	(void)xb_error_set(err, -EEXIST, "it is no cache of xbuild's, and is not overwritten");
	(void)xb_error_hint(err, "give the cache a name of its own");
	(void)depot;
	return xb_error_fault(err, XB_FAULT_USAGE);
}

/* Look, merge, write. Returns 1 when something was written, 0 when all was there. */
static int try(struct attempt *a, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors sheets = { 0 };
	int r = xb_depot_look(a->depot, &a->view, err);

	if (r == 0 && a->view.foreign)
		r = refuse_foreign(a->depot, err);
	if (r == 0)
		r = merge(a, err);
	if (r <= 0)
		return r;
	r = xb_pool_each(a->news.records.len, send_blob, a, err);
	a->written.blobs = a->news.records.len;
	if (r == 0)
		r = send_pages(a, &sheets, err);
	if (r == 0)
		r = name_all(a, &sheets, err);
	return r < 0 ? r : 1;
}

int xb_depot_write(const struct xb_depot *depot, const struct xb_depot_writing *what,
		   struct xb_depot_written *ret, struct xb_error *err)
{
	for (unsigned i = 0; i < MOST_TRIES; i++) {
		XB_CLEANUP(attempt_clear)
		struct attempt a = { .depot = depot, .what = what };
		int r = try(&a, err);

		if (r < 0)
			return xb_error_wrap(err, r, "writing the cache %s", depot->name);
		if (i == 0)
			*ret = a.written;
		if (r == 0 || a.view.listed)
			return 0;
	}
	(void)xb_error_set(err, -EBUSY, "writing the cache %s: others write over it all the time",
			   depot->name);
	return xb_error_fault(err, XB_FAULT_REGISTRY);
}
