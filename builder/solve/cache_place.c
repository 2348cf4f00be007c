/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/cache_place.h"

#include <stdlib.h>

#include "manifest/reference.h"
#include "manifest/registry/place.h"

#define DEFAULT_TAG "latest"

static int init_registry(struct xb_cache_place *place, const struct xb_registry_opener *opener,
			 struct xb_error *err)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	struct xb_registry *registry = NULL;
	int r = xb_reference_parse(xb_view(place->spec->where), &ref, err);

	if (r == 0)
		r = opener->open(opener->context, &registry, err);
	if (r < 0)
		return r;
	if (!xb_digest_empty(&ref.digest))
		place->digest = xb_strdup(ref.digest.text);
	place->tag = xb_strdup(ref.tag != NULL ? ref.tag : DEFAULT_TAG);
	place->repository = xb_registry_place_new(registry, &ref);
	place->place = place->repository;
	return 0;
}

int xb_cache_place_init(struct xb_cache_place *place, const struct xb_cache_spec *spec,
			const struct xb_registry_opener *opener, struct xb_error *err)
{
	place->spec = spec;
	if (spec->type != XB_CACHE_LOCAL)
		return init_registry(place, opener, err);
	place->tag = xb_strdup(spec->tag != NULL ? spec->tag : DEFAULT_TAG);
	place->digest = xb_strdup(spec->digest);
	return 0;
}

void xb_cache_place_clear(struct xb_cache_place *place)
{
	xb_place_free(place->repository);
	xb_layout_free(place->layout);
	free(place->tag);
	free(place->digest);
	*place = (struct xb_cache_place){ 0 };
}

static int open_layout(struct xb_cache_place *place, bool write, struct xb_error *err)
{
	const char *dir = place->spec->where;
	int r = write ? xb_layout_create(dir, &place->layout, err)
		      : xb_layout_open(dir, &place->layout, err);

	if (r < 0)
		return r;
	place->in_layout =
		write ? xb_layout_place_rw(place->layout, true) : xb_layout_place(place->layout);
	place->place = &place->in_layout.place;
	return 0;
}

int xb_cache_place_open(struct xb_cache_place *place, bool write, struct xb_depot *ret,
			struct xb_error *err)
{
	int r = 0;

	if (place->place == NULL)
		r = open_layout(place, write, err);
	*ret = (struct xb_depot){
		.place = place->place,
		.tag = place->tag,
		.digest = place->digest,
		.name = place->spec->where,
	};
	return r;
}
