/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/image.h"

#include <errno.h>
#include <string.h>

#include "manifest/index.h"
#include "manifest/media.h"

void xb_image_clear(struct xb_image *image)
{
	xb_descriptor_clear(&image->descriptor);
	xb_manifest_clear(&image->manifest);
	xb_image_config_clear(&image->config);
}

int xb_image_read_manifest(struct xb_place *place, const struct xb_descriptor *descriptor,
			   struct xb_manifest *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	int r = place->ops->read(place, descriptor, XB_MAX_MANIFEST, &text, err);

	if (r < 0)
		return r;
	r = xb_manifest_parse(xb_str_view(&text), descriptor->media_type, ret, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s", descriptor->digest.text);
	return 0;
}

int xb_image_read_config(struct xb_place *place, const struct xb_manifest *manifest,
			 struct xb_image_config *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_CONFIG);
	int r = place->ops->read(place, &manifest->config, XB_MAX_CONFIG, &text, err);

	if (r < 0)
		return r;
	r = xb_image_config_parse(xb_str_view(&text), ret, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s", manifest->config.digest.text);
	return 0;
}

int xb_image_check_platform(const struct xb_descriptor *found, const struct xb_image_config *config,
			    struct xb_error *err)
{
	struct xb_platform promised = found->platform, real = config->platform;

	xb_platform_normalise(&promised);
	xb_platform_normalise(&real);
	if (strcmp(promised.os, real.os) == 0 && strcmp(promised.arch, real.arch) == 0)
		return 0;
	(void)xb_error_set(err, -EINVAL, "the index lists %s for %s, but its config says %s",
			   found->digest.text, xb_platform_name(&promised).text,
			   xb_platform_name(&real).text);
	(void)xb_error_fault(err, XB_FAULT_PLATFORM);
	(void)xb_error_hint(err,
			    "the image is mislabelled: use another one, or have it built "
			    "again for %s",
			    xb_platform_name(&promised).text);
	return -EINVAL;
}

static int check_layer_count(const struct xb_image *image, struct xb_error *err)
{
	size_t layers = image->manifest.layers.len, ids = image->config.diff_ids.len;

	if (layers == ids)
		return 0;
	return xb_error_set(err, -EBADMSG,
			    "%s has %zu layers, but its config names the contents of %zu",
			    image->descriptor.digest.text, layers, ids);
}

static int read_documents(struct xb_place *place, const struct xb_descriptor *found,
			  struct xb_image *image, struct xb_error *err)
{
	int r;

	xb_descriptor_copy(&image->descriptor, found);
	r = xb_image_read_manifest(place, found, &image->manifest, err);
	if (r < 0)
		return r;
	r = xb_manifest_check_image(&image->manifest, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s", found->digest.text);
	r = xb_image_read_config(place, &image->manifest, &image->config, err);
	if (r < 0)
		return r;
	return check_layer_count(image, err);
}

static int load_documents(struct xb_place *place, const struct xb_descriptor *found,
			  struct xb_image *image, struct xb_error *err)
{
	int r = read_documents(place, found, image, err);

	return r < 0 ? r : xb_image_check_platform(found, &image->config, err);
}

/* The only image there is. */
static int select_only(const struct xb_descriptors *images, const struct xb_descriptor **ret,
		       struct xb_error *err)
{
	xb_auto_str struct xb_str there = XB_STR_INIT(XB_STR_OWN);

	if (images->len == 1) {
		*ret = &images->items[0];
		return 0;
	}
	xb_descriptors_platforms(images, &there);
	(void)xb_error_set(err, -ENOENT, "%zu images (for: %s) where one is needed", images->len,
			   xb_str_text(&there));
	(void)xb_error_fault(err, XB_FAULT_PLATFORM);
	(void)xb_error_hint(err, "say for which platform");
	return -ENOENT;
}

int xb_image_find(struct xb_place *place, const struct xb_descriptor *root,
		  const struct xb_platform *wanted, struct xb_image *ret, struct xb_error *err)
{
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;
	xb_auto_descriptors struct xb_descriptors images = { 0 };
	const struct xb_descriptor *found = NULL;
	int r = xb_image_list(place, root, &images, err);

	if (r < 0)
		return r;
	r = wanted != NULL ? xb_descriptors_select(&images, wanted, &found, err)
			   : select_only(&images, &found, err);
	if (r < 0)
		return r;
	r = load_documents(place, found, &image, err);
	if (r < 0)
		return r;
	*ret = image;
	image = XB_IMAGE_INIT;
	return 0;
}

int xb_image_check_layers(struct xb_place *place, const struct xb_image *image,
			  struct xb_error *err)
{
	for (size_t i = 0; i < image->manifest.layers.len; i++) {
		const struct xb_descriptor *layer = &image->manifest.layers.items[i];
		bool foreign = xb_media_lookup(layer->media_type)->foreign;
		int r = place->ops->check(place, layer, err);

		if (r == -ENOENT && foreign)
			return xb_error_set(err, r,
					    "layer %zu of %s may not be distributed, is not there, "
					    "and is never downloaded",
					    i, image->descriptor.digest.text);
		if (r < 0)
			return xb_error_wrap(err, r, "layer %zu of %s", i,
					     image->descriptor.digest.text);
	}
	return 0;
}

/* The image of any platform: that for `wanted`, else the only one. */
static int find_any(struct xb_place *place, const struct xb_descriptor *root,
		    const struct xb_platform *wanted, struct xb_image *ret, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors images = { 0 };
	const struct xb_descriptor *found = NULL;
	int r = xb_image_list(place, root, &images, err);

	if (r == 0 && xb_descriptors_select(&images, wanted, &found, NULL) < 0)
		r = select_only(&images, &found, err);
	return r < 0 ? r : read_documents(place, found, ret, err);
}

static int load_at(struct xb_place *place, const struct xb_descriptor *root,
		   const struct xb_platform *wanted, bool any, struct xb_image *ret,
		   struct xb_error *err)
{
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;
	int r = any ? find_any(place, root, wanted, &image, err)
		    : xb_image_find(place, root, wanted, &image, err);

	if (r == 0)
		r = xb_image_check_layers(place, &image, err);
	if (r < 0)
		return r;
	*ret = image;
	image = XB_IMAGE_INIT;
	return 0;
}

static int in_place(const struct xb_place *place, int r, struct xb_error *err)
{
	if (r == 0)
		return 0;
	(void)xb_error_fault(err, XB_FAULT_STORE);
	return xb_error_wrap(err, r, "image of %s", place->name);
}

int xb_image_load_at(struct xb_place *place, const struct xb_descriptor *root,
		     const struct xb_platform *wanted, bool any, struct xb_image *ret,
		     struct xb_error *err)
{
	return in_place(place, load_at(place, root, wanted, any, ret, err), err);
}

int xb_image_load(struct xb_place *place, const char *tag, const struct xb_platform *wanted,
		  struct xb_image *ret, struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	int r = place->ops->resolve(place, tag, &root, err);

	if (r == 0)
		r = load_at(place, &root, wanted, false, ret, err);
	return in_place(place, r, err);
}

/* writing */

static int write_config(struct xb_layout *layout, const struct xb_image_config *config,
			unsigned flags, struct xb_descriptor *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_CONFIG);
	struct xb_digest digest;
	int r = xb_image_config_write(config, &text, err);

	if (r < 0)
		return r;
	r = xb_layout_add_bytes(layout, xb_str_view(&text), (flags & XB_IMAGE_SYNC) != 0, &digest,
				err);
	if (r < 0)
		return r;
	xb_descriptor_init(
		ret, (flags & XB_IMAGE_DOCKER) != 0 ? XB_MEDIA_DOCKER_CONFIG : XB_MEDIA_OCI_CONFIG,
		&digest, text.len);
	return 0;
}

int xb_image_write_manifest(struct xb_layout *layout, const struct xb_manifest *manifest, bool sync,
			    struct xb_descriptor *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	struct xb_digest digest;
	int r = xb_manifest_write(manifest, &text, err);

	if (r < 0)
		return r;
	r = xb_layout_add_bytes(layout, xb_str_view(&text), sync, &digest, err);
	if (r < 0)
		return r;
	xb_descriptor_init(
		ret, manifest->media_type != NULL ? manifest->media_type : XB_MEDIA_OCI_MANIFEST,
		&digest, text.len);
	return 0;
}

int xb_image_write(struct xb_layout *layout, const struct xb_image_config *config,
		   const struct xb_descriptors *layers, const struct xb_annotations *annotations,
		   unsigned flags, struct xb_descriptor *ret, struct xb_error *err)
{
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	int r;

	if (layers->len != config->diff_ids.len)
		return xb_error_set(err, -EINVAL, "an image of %zu layers with %zu diff IDs",
				    layers->len, config->diff_ids.len);
	r = write_config(layout, config, flags, &manifest.config, err);
	if (r < 0)
		return xb_error_wrap(err, r, "writing an image's config");
	manifest.media_type = xb_strdup((flags & XB_IMAGE_DOCKER) != 0 ? XB_MEDIA_DOCKER_MANIFEST
								       : XB_MEDIA_OCI_MANIFEST);
	xb_descriptors_copy(&manifest.layers, layers);
	if (annotations != NULL)
		xb_annotations_copy(&manifest.annotations, annotations);
	r = xb_image_write_manifest(layout, &manifest, (flags & XB_IMAGE_SYNC) != 0, ret, err);
	if (r < 0)
		return xb_error_wrap(err, r, "writing an image's manifest");
	xb_descriptor_set_platform(ret, &config->platform);
	return 0;
}

int xb_image_write_index(struct xb_layout *layout, const struct xb_descriptors *manifests,
			 const struct xb_annotations *annotations, unsigned flags,
			 struct xb_descriptor *ret, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	const char *type =
		(flags & XB_IMAGE_DOCKER) != 0 ? XB_MEDIA_DOCKER_INDEX : XB_MEDIA_OCI_INDEX;
	struct xb_digest digest;
	int r;

	index.media_type = xb_strdup(type);
	xb_descriptors_copy(&index.manifests, manifests);
	if (annotations != NULL)
		xb_annotations_copy(&index.annotations, annotations);
	r = xb_index_write(&index, &text, err);
	if (r >= 0)
		r = xb_layout_add_bytes(layout, xb_str_view(&text), (flags & XB_IMAGE_SYNC) != 0,
					&digest, err);
	if (r < 0)
		return xb_error_wrap(err, r, "writing an image index");
	xb_descriptor_init(ret, type, &digest, text.len);
	return 0;
}
