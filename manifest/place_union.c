/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/place_union.h"

#include <errno.h>

#include "manifest/image.h"

static const struct xb_union_place *own(const struct xb_place *place)
{
	return (const struct xb_union_place *)place;
}

/* Where a blob is; `*ret` is NULL where nobody has said so. */
static int find(const struct xb_place *place, const struct xb_descriptor *blob,
		struct xb_place **ret, struct xb_error *err)
{
	*ret = xb_map_get(own(place)->where, xb_view(blob->digest.text));
	return *ret != NULL ? 0
			    : xb_error_set(err, -ENOENT, "nobody is known to have %s",
					   blob->digest.text);
}

static int union_resolve(struct xb_place *place, const char *name, struct xb_descriptor *ret,
			 struct xb_error *err)
{
	(void)place;
	(void)ret;
	return xb_error_set(err, -ENOENT, "there are no names here, hence no %s",
			    name != NULL ? name : "only image");
}

static int union_read(struct xb_place *place, const struct xb_descriptor *document, size_t limit,
		      struct xb_str *text, struct xb_error *err)
{
	struct xb_place *at;
	int r = find(place, document, &at, err);

	return r < 0 ? r : at->ops->read(at, document, limit, text, err);
}

static int union_has(struct xb_place *place, const struct xb_descriptor *blob, bool *ret,
		     struct xb_error *err)
{
	struct xb_place *at;

	*ret = false;
	return find(place, blob, &at, NULL) < 0 ? 0 : at->ops->has(at, blob, ret, err);
}

static int union_check(struct xb_place *place, const struct xb_descriptor *blob,
		       struct xb_error *err)
{
	struct xb_place *at;
	int r = find(place, blob, &at, err);

	return r < 0 ? r : at->ops->check(at, blob, err);
}

static int union_get(struct xb_place *place, const struct xb_descriptor *blob,
		     const struct xb_blob_sink *sink, struct xb_error *err)
{
	struct xb_place *at;
	int r = find(place, blob, &at, err);

	return r < 0 ? r : at->ops->get(at, blob, sink, err);
}

static struct xb_place *union_origin(struct xb_place *place, const struct xb_descriptor *blob)
{
	struct xb_place *at;

	if (find(place, blob, &at, NULL) < 0)
		return place;
	return at->ops->origin != NULL ? at->ops->origin(at, blob) : at;
}

static const struct xb_place_ops union_ops = {
	.resolve = union_resolve,
	.read = union_read,
	.has = union_has,
	.check = union_check,
	.get = union_get,
	.origin = union_origin,
};

struct xb_union_place xb_union_place_new(const char *name)
{
	return (struct xb_union_place){
		.place = { .ops = &union_ops, .name = name },
		.where = xb_map_new(),
	};
}

void xb_union_place_clear(struct xb_union_place *self)
{
	xb_map_free(self->where);
	self->where = NULL;
}

void xb_union_place_add_one(struct xb_union_place *self, struct xb_place *from,
			    const struct xb_descriptor *blob)
{
	(void)xb_map_set(self->where, xb_view(blob->digest.text), from);
}

int xb_union_place_add(struct xb_union_place *self, struct xb_place *from,
		       const struct xb_descriptor *root, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	int r = xb_image_blobs(from, root, &blobs, err);

	for (size_t i = 0; r == 0 && i < blobs.len; i++)
		xb_union_place_add_one(self, from, &blobs.items[i]);
	return r;
}
