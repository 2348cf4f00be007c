/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/inline.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "manifest/image.h"

static int read_extra(const struct xb_image_config *config, json_t **ret, struct xb_error *err)
{
	if (config->extra == NULL) {
		*ret = json_object();
		return 0;
	}
	return xb_json_parse(xb_view(config->extra), XB_MAX_CONFIG, ret, err);
}

static int write_extra(struct xb_image_config *config, const json_t *extra, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_CONFIG);
	int r = json_object_size(extra) > 0 ? xb_json_write(extra, &text, err) : 0;

	if (r == 0)
		xb_image_config_set(&config->extra, text.len > 0 ? xb_str_text(&text) : NULL);
	return r;
}

/* The records of layers that the image has. */
static void select_records(const struct xb_catalog *catalog, const struct xb_descriptors *layers,
			   struct xb_catalog *ret)
{
	xb_auto_map struct xb_map *blobs = xb_map_new();

	for (size_t i = 0; i < layers->len; i++)
		(void)xb_map_set(blobs, xb_view(layers->items[i].digest.text), blobs);
	for (size_t i = 0; i < catalog->records.len; i++) {
		const struct xb_catalog_record *record = catalog->records.items[i];

		if (xb_map_get(blobs, xb_view(record->blob.text)) != NULL)
			(void)xb_catalog_add(ret, record);
	}
}

static int add_member(json_t *extra, const struct xb_catalog *catalog, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_CATALOG);
	json_t *member = NULL;
	int r = xb_catalog_write(catalog, &text, &blobs, err);

	if (r == 0)
		r = xb_json_parse(xb_str_view(&text), XB_MAX_CATALOG, &member, err);
	if (r == 0)
		xb_json_set_new(extra, XB_INLINE_MEMBER, member);
	return r;
}

int xb_inline_put(struct xb_image_config *config, const struct xb_catalog *catalog,
		  const struct xb_descriptors *layers, struct xb_error *err)
{
	xb_auto_catalog struct xb_catalog own = { 0 };
	xb_auto_json json_t *extra = NULL;
	bool inherited = config->extra != NULL && strstr(config->extra, XB_INLINE_MEMBER) != NULL;
	int r;

	select_records(catalog, layers, &own);
	if (own.records.len == 0 && !inherited)
		return 0;
	r = read_extra(config, &extra, err);
	if (r == 0)
		(void)json_object_del(extra, XB_INLINE_MEMBER);
	if (r == 0 && own.records.len > 0)
		r = add_member(extra, &own, err);
	return r == 0 ? write_extra(config, extra, err) : r;
}

/* The records of one image: 1, or 0 when it has none. */
static int read_image(const struct xb_image *image, struct xb_catalog *catalog,
		      struct xb_error *err)
{
	xb_auto_catalog struct xb_catalog own = { 0 };
	xb_auto_json json_t *extra = NULL;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_CATALOG);
	json_t *member = NULL;
	int r = read_extra(&image->config, &extra, err);

	if (r == 0)
		r = xb_json_get_object(extra, XB_INLINE_MEMBER, &member, err);
	if (r < 0 || member == NULL)
		return r;
	r = xb_json_write(member, &text, err);
	if (r == 0)
		r = xb_catalog_parse(xb_str_view(&text), &image->manifest.layers, &own, err);
	if (r < 0)
		return r;
	xb_catalog_merge(catalog, &own);
	return 1;
}

int xb_inline_read(const struct xb_depot *depot, const struct xb_descriptor *root,
		   const struct xb_platform *platforms, size_t platform_count,
		   struct xb_catalog *catalog, struct xb_error *err)
{
	bool found = false;

	for (size_t i = 0; i < platform_count; i++) {
		xb_auto_image struct xb_image image = XB_IMAGE_INIT;
		int r;

		/* not every platform has to be there; and who is no image says so below */
		if (xb_image_find(depot->place, root, &platforms[i], &image, NULL) < 0)
			continue;
		r = read_image(&image, catalog, err);
		if (r < 0)
			return xb_error_wrap(err, r, "image %s", depot->name);
		found |= r > 0;
	}
	return found ? 0
		     : xb_error_set(err, -ENOENT,
				    "%s is neither a cache of xbuild's nor an image with one in it",
				    depot->name);
}
