/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/medley.h"

#include <errno.h>

#include "base/map.h"
#include "manifest/image.h"

/* Where something is: in a place, or here. */
struct known {
	struct xb_place *place; /* NULL: `bytes` */
	struct xb_str bytes;
};

struct xb_medley {
	struct xb_place place;
	char *name;
	struct xb_map *known; /* digest -> struct known * */
};

static struct xb_medley *own(struct xb_place *place)
{
	return (struct xb_medley *)place;
}

static struct known *get_known(struct xb_place *place, const struct xb_descriptor *d)
{
	return xb_map_get(own(place)->known, xb_view(d->digest.text));
}

static int unknown(const struct xb_descriptor *d, struct xb_error *err)
{
	return xb_error_set(err, -ENOENT, "%s is nowhere", d->digest.text);
}

static int medley_resolve(struct xb_place *place, const char *name, struct xb_descriptor *ret,
			  struct xb_error *err)
{
	(void)ret;
	return xb_error_set(err, -ENOENT, "%s has no name %s", place->name, name);
}

static int medley_read(struct xb_place *place, const struct xb_descriptor *document, size_t limit,
		       struct xb_str *text, struct xb_error *err)
{
	struct known *known = get_known(place, document);

	if (known == NULL)
		return unknown(document, err);
	if (known->place != NULL)
		return known->place->ops->read(known->place, document, limit, text, err);
	if (known->bytes.len > limit || xb_str_append_view(text, xb_str_view(&known->bytes)) < 0)
		return xb_error_set(err, -EFBIG, "%s is too large", document->digest.text);
	return 0;
}

static int medley_has(struct xb_place *place, const struct xb_descriptor *blob, bool *ret,
		      struct xb_error *err)
{
	struct known *known = get_known(place, blob);

	if (known != NULL && known->place != NULL)
		return known->place->ops->has(known->place, blob, ret, err);
	*ret = known != NULL;
	return 0;
}

static int medley_check(struct xb_place *place, const struct xb_descriptor *blob,
			struct xb_error *err)
{
	struct known *known = get_known(place, blob);

	if (known != NULL && known->place != NULL)
		return known->place->ops->check(known->place, blob, err);
	return known != NULL ? 0 : unknown(blob, err);
}

static int medley_get(struct xb_place *place, const struct xb_descriptor *blob,
		      const struct xb_blob_sink *sink, struct xb_error *err)
{
	struct known *known = get_known(place, blob);

	if (known == NULL)
		return unknown(blob, err);
	if (known->place != NULL)
		return known->place->ops->get(known->place, blob, sink, err);
	return sink->write(sink->context, known->bytes.data, known->bytes.len, err);
}

static struct xb_place *medley_origin(struct xb_place *place, const struct xb_descriptor *blob,
				      size_t number)
{
	struct known *known = get_known(place, blob);

	if (known == NULL || known->place == NULL)
		return NULL;
	if (known->place->ops->origin != NULL)
		return known->place->ops->origin(known->place, blob, number);
	return number == 0 ? known->place : NULL;
}

static const struct xb_place_ops medley_ops = {
	.resolve = medley_resolve,
	.read = medley_read,
	.has = medley_has,
	.check = medley_check,
	.get = medley_get,
	.origin = medley_origin,
};

struct xb_medley *xb_medley_new(const char *name)
{
	struct xb_medley *medley = xb_calloc(1, sizeof(*medley));

	medley->name = xb_strdup(name);
	medley->known = xb_map_new();
	medley->place = (struct xb_place){ .ops = &medley_ops, .name = medley->name };
	return medley;
}

static int forget(void *context, const char *key, void *value)
{
	struct known *known = value;

	(void)context;
	(void)key;
	xb_str_clear(&known->bytes);
	free(known);
	return 0;
}

void xb_medley_free(struct xb_medley *medley)
{
	if (medley == NULL)
		return;
	(void)xb_map_each(medley->known, forget, NULL);
	xb_map_free(medley->known);
	free(medley->name);
	free(medley);
}

struct xb_place *xb_medley_place(struct xb_medley *medley)
{
	return &medley->place;
}

static struct known *learn(struct xb_medley *medley, const struct xb_digest *digest)
{
	struct known *known = xb_calloc(1, sizeof(*known));

	known->bytes = XB_STR_INIT(XB_STR_OWN);
	(void)xb_map_set(medley->known, xb_view(digest->text), known);
	return known;
}

void xb_medley_add_one(struct xb_medley *medley, struct xb_place *place,
		       const struct xb_digest *digest)
{
	if (xb_map_get(medley->known, xb_view(digest->text)) == NULL)
		learn(medley, digest)->place = place;
}

int xb_medley_add(struct xb_medley *medley, struct xb_place *place,
		  const struct xb_descriptor *root, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	int r = xb_image_blobs(place, root, &blobs, err);

	for (size_t i = 0; r == 0 && i < blobs.len; i++)
		xb_medley_add_one(medley, place, &blobs.items[i].digest);
	return r;
}

void xb_medley_make(struct xb_medley *medley, const char *media_type, struct xb_view bytes,
		    struct xb_descriptor *ret)
{
	struct xb_digest digest = xb_digest_of(bytes.data, bytes.len);
	struct known *known;

	xb_descriptor_init(ret, media_type, &digest, bytes.len);
	if (get_known(&medley->place, ret) != NULL)
		return;
	known = learn(medley, &digest);
	(void)xb_str_append_view(&known->bytes, bytes);
}
