/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/members.h"

#include <errno.h>

#include "base/map.h"
#include "manifest/image.h"
#include "manifest/media.h"

/* A member being taken apart; each index in it is met once. */
struct apart {
	struct xb_place *place;
	const char *source;
	struct xb_map *seen;
	struct xb_draft_entries *ret;
};

static void apart_clear(struct apart *a)
{
	xb_map_free(a->seen);
}

/* An artifact says in its manifest what it is, or in the type of its config. */
static void set_artifact_type(struct xb_descriptor *d, const struct xb_manifest *manifest)
{
	free(d->artifact_type);
	d->artifact_type = xb_strdup(manifest->artifact_type != NULL ? manifest->artifact_type
								     : manifest->config.media_type);
}

/*
 * See that an entry's platform is that of its config, or give it that one; returns 1 when the
 * entry was changed.
 */
static int settle_platform(const struct apart *a, struct xb_descriptor *d, struct xb_error *err)
{
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	int r = xb_image_read_manifest(a->place, d, &manifest, err);

	if (r < 0)
		return r;
	if (xb_media_kind(manifest.config.media_type) != XB_MEDIA_CONFIG) {
		if (d->artifact_type != NULL || d->has_platform)
			return 0;
		set_artifact_type(d, &manifest);
		return 1;
	}
	r = xb_image_read_config(a->place, &manifest, &config, err);
	if (r == 0 && d->has_platform)
		return xb_image_check_platform(d, &config, err);
	if (r < 0)
		return r;
	xb_platform_normalise(&config.platform);
	xb_descriptor_set_platform(d, &config.platform);
	return 1;
}

static int take_index(struct apart *a, const struct xb_descriptor *d, int depth,
		      struct xb_error *err);

static int take_entry(struct apart *a, const struct xb_draft_entry *entry, int depth,
		      struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	enum xb_media_kind kind = xb_media_kind(entry->descriptor.media_type);
	int r = 0;

	if (kind == XB_MEDIA_INDEX)
		return take_index(a, &entry->descriptor, depth + 1, err);
	if (a->ret->len >= XB_MAX_DRAFT)
		return xb_error_set(err, -E2BIG, "more than %d entries", XB_MAX_DRAFT);
	xb_descriptor_copy(&d, &entry->descriptor);
	if (kind == XB_MEDIA_MANIFEST && !xb_descriptor_is_attestation(&d))
		r = settle_platform(a, &d, err);
	if (r >= 0)
		xb_draft_entries_add(a->ret, &d, r == 1 ? NULL : entry->text, a->source);
	return r < 0 ? r : 0;
}

static int take_index(struct apart *a, const struct xb_descriptor *d, int depth,
		      struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_draft struct xb_draft draft = { 0 };
	int r;

	if (depth > XB_MAX_INDEX_DEPTH)
		return xb_error_set(err, -ELOOP, "indexes inside of each other, deeper than %d",
				    XB_MAX_INDEX_DEPTH);
	if (xb_map_set(a->seen, xb_view(d->digest.text), a) != NULL)
		return 0;
	r = a->place->ops->read(a->place, d, XB_MAX_MANIFEST, &text, err);
	if (r == 0)
		r = xb_draft_parse(xb_str_view(&text), d->media_type, &draft, err);
	for (size_t i = 0; r == 0 && i < draft.entries.len; i++)
		r = take_entry(a, &draft.entries.items[i], depth, err);
	return r < 0 ? xb_error_wrap(err, r, "%s", d->digest.text) : 0;
}

/* What a layout or the store says of it besides is about its name there. */
static int take_manifest(struct apart *a, const struct xb_descriptor *root, struct xb_error *err)
{
	struct xb_draft_entry entry = { 0 };
	int r;

	xb_descriptor_init(&entry.descriptor, root->media_type, &root->digest, root->size);
	r = take_entry(a, &entry, 0, err);
	xb_descriptor_clear(&entry.descriptor);
	return r;
}

int xb_members_add(struct xb_place *place, const struct xb_descriptor *root, const char *source,
		   struct xb_draft_entries *ret, struct xb_error *err)
{
	XB_CLEANUP(apart_clear) struct apart a = { place, source, xb_map_new(), ret };

	switch (xb_media_kind(root->media_type)) {
	case XB_MEDIA_INDEX:
		return take_index(&a, root, 1, err);
	case XB_MEDIA_MANIFEST:
		return take_manifest(&a, root, err);
	default:
		return xb_error_set(err, -EBADMSG, "%s is of type %s, which is no image",
				    root->digest.text, root->media_type);
	}
}
