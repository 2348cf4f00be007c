/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/depot.h"

#include <errno.h>
#include <string.h>

#include "manifest/index.h"
#include "manifest/manifest.h"
#include "manifest/media.h"

/* A part that has gone was merged by another; more often than so nobody merges in a row. */
#define MOST_LOOKS 20

void xb_depot_view_clear(struct xb_depot_view *view)
{
	for (size_t i = 0; i < view->pages.len; i++) {
		xb_descriptors_clear(&view->pages.items[i].sheets);
		xb_catalog_clear(&view->pages.items[i].catalog);
	}
	xb_array_clear(&view->pages);
	xb_descriptor_clear(&view->whole);
	xb_strv_clear(&view->parts);
	xb_descriptors_clear(&view->roots);
	*view = (struct xb_depot_view){ 0 };
}

struct xb_depot_page *xb_depot_find(struct xb_depot_view *view, const struct xb_platform *platform)
{
	struct xb_platform wanted = *platform;

	xb_platform_normalise(&wanted);
	for (size_t i = 0; i < view->pages.len; i++) {
		if (xb_platform_eq(&view->pages.items[i].platform, &wanted))
			return &view->pages.items[i];
	}
	return NULL;
}

/* ---- indexes ------------------------------------------------------------------------------ */

static bool is_depot(const struct xb_index *index)
{
	return index->artifact_type != NULL && strcmp(index->artifact_type, XB_MEDIA_DEPOT) == 0;
}

static bool has_sheet(const struct xb_depot_page *page, const struct xb_descriptor *sheet)
{
	for (size_t i = 0; i < page->sheets.len; i++) {
		if (xb_digest_eq(&page->sheets.items[i].digest, &sheet->digest))
			return true;
	}
	return false;
}

static int add_sheet(struct xb_depot_view *view, const struct xb_descriptor *sheet,
		     struct xb_error *err)
{
	struct xb_depot_page *page;

	if (!sheet->has_platform || xb_media_kind(sheet->media_type) != XB_MEDIA_MANIFEST)
		return xb_error_set(err, -EBADMSG, "%s in it is no list of a platform's steps",
				    sheet->digest.text);
	page = xb_depot_find(view, &sheet->platform);
	if (page == NULL && view->pages.len == XB_DEPOT_PLATFORMS)
		return xb_error_set(err, -EFBIG, "it has more than %d platforms",
				    XB_DEPOT_PLATFORMS);
	if (page == NULL) {
		page = xb_array_push(&view->pages);
		page->platform = sheet->platform;
		xb_platform_normalise(&page->platform);
	}
	if (!has_sheet(page, sheet))
		(void)xb_descriptors_add(&page->sheets, sheet);
	return 0;
}

/* Read the index that `root` means; 1, or 0 when it is no depot's. */
static int read_index(const struct xb_depot *depot, const struct xb_descriptor *root,
		      struct xb_index *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	int r;

	if (xb_media_kind(root->media_type) != XB_MEDIA_INDEX)
		return 0;
	r = depot->place->ops->read(depot->place, root, XB_MAX_MANIFEST, &text, err);
	if (r == 0)
		r = xb_index_parse(xb_str_view(&text), root->media_type, ret, err);
	return r < 0 ? r : is_depot(ret);
}

static int add_sheets(struct xb_depot_view *view, const struct xb_index *index,
		      struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < index->manifests.len; i++)
		r = add_sheet(view, &index->manifests.items[i], err);
	return r;
}

/* ---- looking ------------------------------------------------------------------------------ */

/* Resolve a name: 1, or 0 when there is none. */
static int resolve(const struct xb_depot *depot, const char *name, struct xb_descriptor *ret,
		   struct xb_error *err)
{
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = depot->place->ops->resolve(depot->place, name, ret, &cause);

	if (r == 0 || r == -ENOENT)
		return r == 0;
	if (err != NULL)
		xb_error_move(err, &cause);
	return r;
}

/* The tags of the parts, sorted. A place that cannot list any has none that anybody would find. */
static int list_parts(const struct xb_depot *depot, struct xb_depot_view *view,
		      struct xb_error *err)
{
	xb_autofree char *prefix = xb_format("%s" XB_DEPOT_PART, depot->tag);
	xb_auto_strv struct xb_strv tags = XB_STRV_INIT;

	if (depot->place->ops->tags == NULL ||
	    depot->place->ops->tags(depot->place, &tags, NULL) < 0)
		return 0;
	view->listed = true;
	for (size_t i = 0; i < tags.len; i++) {
		if (xb_view_starts(xb_view(tags.items[i]), xb_view(prefix)))
			xb_strv_push(&view->parts, tags.items[i]);
	}
	xb_strv_sort(&view->parts);
	return view->parts.len <= XB_DEPOT_PARTS
		       ? 0
		       : xb_error_set(err, -EFBIG, "it has %zu tags of parts; at most %d are read",
				      view->parts.len, XB_DEPOT_PARTS);
}

/* Read the whole; `held` gets the names of the parts that it holds. */
static int look_at_whole(const struct xb_depot *depot, struct xb_depot_view *view,
			 struct xb_strv *held, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	const char *name = depot->digest != NULL ? depot->digest : depot->tag;
	struct xb_view names, one;
	int r = resolve(depot, name, &view->whole, err);

	if (r <= 0)
		return r;
	r = read_index(depot, &view->whole, &index, err);
	view->foreign = r == 0;
	if (r <= 0)
		return r;
	names = xb_view(xb_annotations_get(&index.annotations, XB_ANNOTATION_PARTS));
	while (names.data != NULL && xb_view_split(&names, ' ', &one))
		xb_strv_push_view(held, one);
	return add_sheets(view, &index, err);
}

/* Read one part: 1, or 0 when it has gone. */
static int look_at_part(const struct xb_depot *depot, const char *tag, struct xb_depot_view *view,
			struct xb_descriptor *root, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = resolve(depot, tag, root, err);

	if (r <= 0)
		return r;
	r = read_index(depot, root, &index, &cause);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = xb_error_set(&cause, -EBADMSG, "%s is no part of a cache", tag);
	if (r > 0)
		r = add_sheets(view, &index, &cause);
	if (r < 0 && err != NULL)
		xb_error_move(err, &cause);
	return r < 0 ? r : 1;
}

static int look_at_parts(const struct xb_depot *depot, struct xb_depot_view *view,
			 const struct xb_strv *held, struct xb_error *err)
{
	size_t prefix = strlen(depot->tag) + strlen(XB_DEPOT_PART);
	xb_auto_map struct xb_map *known = xb_map_new();
	int r = 1;

	for (size_t i = 0; i < held->len; i++)
		(void)xb_map_set(known, xb_view(held->items[i]), view);
	for (size_t i = 0; r > 0 && i < view->parts.len; i++) {
		struct xb_descriptor *root = xb_array_push(&view->roots);

		if (xb_map_get(known, xb_view(view->parts.items[i] + prefix)) != NULL)
			continue;
		view->loose++;
		r = look_at_part(depot, view->parts.items[i], view, root, err);
	}
	return r;
}

/* One look: 1, or 0 when somebody removed a part meanwhile, which is then in another one. */
static int look(const struct xb_depot *depot, struct xb_depot_view *view, struct xb_error *err)
{
	xb_auto_strv struct xb_strv held = XB_STRV_INIT;
	/* the list comes first: what it leads to holds everything that was there at that moment */
	int r = depot->digest == NULL ? list_parts(depot, view, err) : 0;

	if (r == 0)
		r = look_at_whole(depot, view, &held, err);
	return r < 0 || view->foreign ? (r < 0 ? r : 1) : look_at_parts(depot, view, &held, err);
}

int xb_depot_look(const struct xb_depot *depot, struct xb_depot_view *ret, struct xb_error *err)
{
	for (unsigned i = 0; i < MOST_LOOKS; i++) {
		xb_auto_depot_view struct xb_depot_view view = { 0 };
		int r = look(depot, &view, err);

		if (r < 0)
			return xb_error_wrap(err, r, "cache %s", depot->name);
		if (r > 0) {
			*ret = view;
			view = (struct xb_depot_view){ 0 };
			return 0;
		}
	}
	(void)xb_error_set(err, -EBUSY, "cache %s: its parts go faster than they are read",
			   depot->name);
	return xb_error_fault(err, XB_FAULT_REGISTRY);
}

/* ---- catalogs ------------------------------------------------------------------------------ */

static int read_sheet(const struct xb_depot *depot, const struct xb_descriptor *sheet,
		      struct xb_catalog *ret, struct xb_error *err)
{
	struct xb_place *place = depot->place;
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_str struct xb_str list = XB_STR_INIT(XB_MAX_CATALOG);
	int r = place->ops->read(place, sheet, XB_MAX_MANIFEST, &text, err);

	if (r == 0)
		r = xb_manifest_parse(xb_str_view(&text), sheet->media_type, &manifest, err);
	if (r == 0 && strcmp(manifest.config.media_type, XB_MEDIA_CATALOG) != 0)
		r = xb_error_set(err, -EBADMSG, "%s is no list of cached steps",
				 manifest.config.media_type);
	if (r == 0)
		r = place->ops->read(place, &manifest.config, XB_MAX_CATALOG, &list, err);
	return r < 0 ? r : xb_catalog_parse(xb_str_view(&list), &manifest.layers, ret, err);
}

int xb_depot_read(const struct xb_depot *depot, struct xb_depot_page *page, struct xb_error *err)
{
	for (size_t i = 0; !page->read && i < page->sheets.len; i++) {
		xb_auto_catalog struct xb_catalog catalog = { 0 };
		int r = read_sheet(depot, &page->sheets.items[i], &catalog, err);

		if (r < 0)
			return xb_error_wrap(err, r, "cache %s for %s", depot->name,
					     xb_platform_name(&page->platform).text);
		xb_catalog_merge(&page->catalog, &catalog);
	}
	page->read = true;
	return 0;
}
