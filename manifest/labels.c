/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/labels.h"

#include <string.h>

#include "manifest/image.h"
#include "manifest/media.h"

#define PREFIX "org.opencontainers.image."

static bool counts(const char *name)
{
	return strncmp(name, PREFIX, strlen(PREFIX)) == 0 &&
	       strcmp(name, XB_ANNOTATION_REF_NAME) != 0;
}

static void take_all(const struct xb_annotations *labels, struct xb_annotations *ret)
{
	for (size_t i = 0; i < labels->len; i++) {
		if (counts(labels->items[i].name))
			xb_annotations_set(ret, labels->items[i].name, labels->items[i].value);
	}
}

/* Remove what `labels` has not, or with another value. */
static void narrow(const struct xb_annotations *labels, struct xb_annotations *common)
{
	for (size_t i = common->len; i-- > 0;) {
		const char *value = xb_annotations_get(labels, common->items[i].name);

		if (value == NULL || strcmp(value, common->items[i].value) != 0)
			(void)xb_annotations_unset(common, common->items[i].name);
	}
}

/* The labels of an image; returns 1, or 0 where it is none. */
static int read_labels(struct xb_place *place, const struct xb_descriptor *d,
		       struct xb_annotations *ret, struct xb_error *err)
{
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	int r;

	if (xb_media_kind(d->media_type) != XB_MEDIA_MANIFEST || xb_descriptor_is_attestation(d))
		return 0;
	r = xb_image_read_manifest(place, d, &manifest, err);
	if (r < 0 || xb_media_kind(manifest.config.media_type) != XB_MEDIA_CONFIG)
		return r;
	r = xb_image_read_config(place, &manifest, &config, err);
	if (r < 0)
		return r;
	xb_annotations_copy(ret, &config.labels);
	return 1;
}

int xb_labels_common(struct xb_place *place, const struct xb_descriptors *manifests,
		     struct xb_annotations *ret, struct xb_error *err)
{
	xb_auto_annotations struct xb_annotations common = { 0 };
	bool first = true;

	for (size_t i = 0; i < manifests->len; i++) {
		xb_auto_annotations struct xb_annotations labels = { 0 };
		int r = read_labels(place, &manifests->items[i], &labels, err);

		if (r < 0)
			return r;
		if (r == 1 && first)
			take_all(&labels, &common);
		else if (r == 1)
			narrow(&labels, &common);
		first &= r == 0;
	}
	take_all(&common, ret);
	return 0;
}
