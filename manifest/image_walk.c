/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over what a descriptor leads to: the images below an index, the blobs of an image. */
#include <errno.h>

#include "base/map.h"
#include "manifest/image.h"
#include "manifest/index.h"
#include "manifest/media.h"

/*
 * Indexes may hold indexes, each may name another many times: a digest is visited once, and the
 * depth is bounded, so the work is bounded by the bytes that are really there.
 */
struct walk {
	struct xb_place *place;
	struct xb_map *seen; /* digests */
	struct xb_descriptors *found;
};

static void walk_clear(struct walk *w)
{
	xb_map_free(w->seen);
}

/* Whether this is the first time that a digest is met. */
static bool first_visit(struct walk *w, const struct xb_digest *digest)
{
	return xb_map_set(w->seen, xb_view(digest->text), w) == NULL;
}

static int read_index(struct walk *w, const struct xb_descriptor *d, int depth,
		      struct xb_index *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	int r;

	if (depth > XB_MAX_INDEX_DEPTH)
		return xb_error_set(err, -ELOOP, "indexes inside of each other, deeper than %d",
				    XB_MAX_INDEX_DEPTH);
	r = w->place->ops->read(w->place, d, XB_MAX_MANIFEST, &text, err);
	if (r < 0)
		return r;
	r = xb_index_parse(xb_str_view(&text), d->media_type, ret, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s", d->digest.text);
	return 0;
}

/* images */

/* Add an image; where no index says for which platform it is, its config does. */
static int list_manifest(struct walk *w, const struct xb_descriptor *d, struct xb_error *err)
{
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	int r;

	if (d->has_platform) {
		(void)xb_descriptors_add(w->found, d);
		return 0;
	}
	r = xb_image_read_manifest(w->place, d, &manifest, err);
	if (r < 0)
		return r;
	/* an artifact beside the images */
	if (xb_media_kind(manifest.config.media_type) != XB_MEDIA_CONFIG)
		return 0;
	r = xb_image_read_config(w->place, &manifest, &config, err);
	if (r < 0)
		return r;
	xb_descriptor_set_platform(xb_descriptors_add(w->found, d), &config.platform);
	return 0;
}

static int list_index(struct walk *w, const struct xb_descriptor *d, int depth,
		      struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	int r;

	if (!first_visit(w, &d->digest))
		return 0;
	r = read_index(w, d, depth, &index, err);
	for (size_t i = 0; r >= 0 && i < index.manifests.len; i++) {
		const struct xb_descriptor *entry = &index.manifests.items[i];
		enum xb_media_kind kind = xb_media_kind(entry->media_type);

		if (xb_descriptor_is_attestation(entry))
			continue;
		if (kind == XB_MEDIA_INDEX)
			r = list_index(w, entry, depth + 1, err);
		else if (kind == XB_MEDIA_MANIFEST)
			r = list_manifest(w, entry, err);
	}
	return r;
}

/* The one manifest that the walk starts from must be an image; below an index, others may be. */
static int list_root_manifest(struct walk *w, const struct xb_descriptor *root,
			      struct xb_error *err)
{
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	int r = xb_image_read_manifest(w->place, root, &manifest, err);

	if (r < 0)
		return r;
	r = xb_manifest_check_image(&manifest, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s", root->digest.text);
	return list_manifest(w, root, err);
}

int xb_image_list(struct xb_place *place, const struct xb_descriptor *root,
		  struct xb_descriptors *ret, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors found = { 0 };
	XB_CLEANUP(walk_clear) struct walk w = { place, xb_map_new(), &found };
	int r;

	switch (xb_media_kind(root->media_type)) {
	case XB_MEDIA_INDEX:
		r = list_index(&w, root, 1, err);
		break;
	case XB_MEDIA_MANIFEST:
		r = list_root_manifest(&w, root, err);
		break;
	default:
		r = xb_error_set(err, -EBADMSG, "%s is of type %s, which is no image",
				 root->digest.text, root->media_type);
		break;
	}
	if (r < 0)
		return r;
	*ret = found;
	found = (struct xb_descriptors){ 0 };
	return 0;
}

/* blobs */

static void add_blob(struct walk *w, const struct xb_descriptor *d)
{
	if (first_visit(w, &d->digest))
		(void)xb_descriptors_add(w->found, d);
}

static int add_manifest(struct walk *w, const struct xb_descriptor *d, struct xb_error *err)
{
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	int r = xb_image_read_manifest(w->place, d, &manifest, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < manifest.layers.len; i++)
		add_blob(w, &manifest.layers.items[i]);
	add_blob(w, &manifest.config);
	return 0;
}

static int add_all(struct walk *w, const struct xb_descriptor *d, int depth, struct xb_error *err);

static int add_index(struct walk *w, const struct xb_descriptor *d, int depth, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	int r = read_index(w, d, depth, &index, err);

	for (size_t i = 0; r >= 0 && i < index.manifests.len; i++)
		r = add_all(w, &index.manifests.items[i], depth + 1, err);
	return r;
}

/* `depth` is that of `d`, should it be an index. */
static int add_all(struct walk *w, const struct xb_descriptor *d, int depth, struct xb_error *err)
{
	enum xb_media_kind kind = xb_media_kind(d->media_type);
	int r = 0;

	if (xb_map_get(w->seen, xb_view(d->digest.text)) != NULL)
		return 0;
	if (kind == XB_MEDIA_INDEX)
		r = add_index(w, d, depth, err);
	else if (kind == XB_MEDIA_MANIFEST)
		r = add_manifest(w, d, err);
	if (r < 0)
		return r;
	add_blob(w, d);
	return 0;
}

int xb_image_blobs(struct xb_place *place, const struct xb_descriptor *root,
		   struct xb_descriptors *ret, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors found = { 0 };
	XB_CLEANUP(walk_clear) struct walk w = { place, xb_map_new(), &found };
	int r = add_all(&w, root, 1, err);

	if (r < 0)
		return r;
	*ret = found;
	found = (struct xb_descriptors){ 0 };
	return 0;
}
