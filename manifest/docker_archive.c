/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/docker_archive.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "manifest/config.h"
#include "manifest/document.h"
#include "manifest/media.h"
#include "manifest/reference.h"

enum xb_media_compression xb_docker_layer_compression(const void *start, size_t len)
{
	static const unsigned char gzip[] = { 0x1f, 0x8b }, zstd[] = { 0x28, 0xb5, 0x2f, 0xfd };

	if (len >= sizeof(gzip) && memcmp(start, gzip, sizeof(gzip)) == 0)
		return XB_MEDIA_GZIP;
	if (len >= sizeof(zstd) && memcmp(start, zstd, sizeof(zstd)) == 0)
		return XB_MEDIA_ZSTD;
	return XB_MEDIA_PLAIN;
}

/* An uncompressed layer is its own content: its digest must be the config's. */
static int check_diff_id(const struct xb_descriptor *layer, const struct xb_digest *diff_id,
			 struct xb_error *err)
{
	if (xb_media_lookup(layer->media_type)->compression != XB_MEDIA_PLAIN ||
	    xb_digest_eq(&layer->digest, diff_id))
		return 0;
	return xb_error_set(err, -EBADMSG, "its bytes have the digest %s, the config says %s",
			    layer->digest.text, diff_id->text);
}

static int wrap(struct xb_error *err, int r, const char *what, const char *name)
{
	xb_autofree char *shown = xb_document_quote(name);

	return xb_error_wrap(err, r, "%s %s", what, shown);
}

static int take_layer(const struct xb_docker_files *files, const char *name,
		      const struct xb_digest *diff_id, struct xb_descriptors *layers,
		      struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor layer = XB_DESCRIPTOR_INIT;
	int r = files->layer(files->context, name, diff_id, &layer, err);

	if (r == 0)
		r = check_diff_id(&layer, diff_id, err);
	if (r < 0)
		return wrap(err, r, "layer", name);
	(void)xb_descriptors_add(layers, &layer);
	return 0;
}

static int take_config(const struct xb_docker_files *files, const char *name,
		       struct xb_image_config *config, struct xb_docker_image *ret,
		       struct xb_error *err)
{
	struct xb_digest digest;
	int r;

	if (name == NULL)
		return xb_error_set(err, -EBADMSG, "Config is missing");
	r = files->read(files->context, name, &ret->config, err);
	if (r == 0)
		r = xb_image_config_parse(xb_str_view(&ret->config), config, err);
	if (r < 0)
		return wrap(err, r, "config", name);
	digest = xb_digest_of(xb_str_text(&ret->config), ret->config.len);
	xb_descriptor_init(&ret->manifest.config, XB_MEDIA_OCI_CONFIG, &digest, ret->config.len);
	ret->platform = config->platform;
	return 0;
}

/* Whether one of RepoTags, normalised, is `wanted`. */
static bool has_tag(const struct xb_strv *tags, const char *wanted)
{
	for (size_t i = 0; i < tags->len; i++) {
		xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
		xb_autofree char *whole = NULL;

		if (xb_reference_parse(xb_view(tags->items[i]), &ref, NULL) < 0)
			continue;
		whole = xb_reference_format(&ref);
		if (strcmp(whole, wanted) == 0)
			return true;
	}
	return false;
}

/* Find the image by its name; several and no name is an error. */
static int choose(json_t *images, const char *name, const json_t **ret, struct xb_error *err)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_autofree char *wanted = NULL;
	json_t *image;
	size_t i;
	int r;

	if (name == NULL) {
		if (json_array_size(images) != 1)
			return xb_error_set(err, -ENOENT, "it holds %zu images: name one",
					    json_array_size(images));
		*ret = json_array_get(images, 0);
		return 0;
	}
	r = xb_reference_parse(xb_view(name), &ref, err);
	if (r < 0)
		return r;
	xb_reference_complete(&ref);
	wanted = xb_reference_format(&ref);
	json_array_foreach(images, i, image)
	{
		xb_auto_strv struct xb_strv tags = XB_STRV_INIT;

		if (xb_document_strings(image, "RepoTags", &tags, NULL) == 0 &&
		    has_tag(&tags, wanted)) {
			*ret = image;
			return 0;
		}
	}
	return xb_error_set(err, -ENOENT, "it holds no image %s", wanted);
}

static int take_image(const struct xb_docker_files *files, const json_t *image,
		      struct xb_docker_image *ret, struct xb_error *err)
{
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	xb_auto_strv struct xb_strv layers = XB_STRV_INIT;
	const char *config_name = NULL;
	int r = xb_json_get_string(image, "Config", &config_name, err);

	if (r == 0)
		r = xb_document_strings(image, "Layers", &layers, err);
	if (r == 0)
		r = take_config(files, config_name, &config, ret, err);
	if (r < 0)
		return r;
	if (layers.len != config.diff_ids.len)
		return xb_error_set(err, -EBADMSG,
				    "%zu layers, but the config names the contents of %zu",
				    layers.len, config.diff_ids.len);
	for (size_t i = 0; r == 0 && i < layers.len; i++)
		r = take_layer(files, layers.items[i], &config.diff_ids.items[i],
			       &ret->manifest.layers, err);
	return r;
}

static int take_named(const struct xb_docker_files *files, const char *name,
		      struct xb_docker_image *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_json json_t *images = NULL;
	const json_t *image = NULL;
	int r = files->read(files->context, "manifest.json", &text, err);

	if (r == 0)
		r = xb_json_parse(xb_str_view(&text), XB_MAX_MANIFEST, &images, err);
	if (r < 0)
		return xb_error_wrap(err, r, "manifest.json");
	if (!json_is_array(images))
		return xb_error_set(err, -EBADMSG, "manifest.json is not an array");
	r = choose(images, name, &image, err);
	if (r < 0)
		return r;
	if (!json_is_object(image))
		return xb_error_set(err, -EBADMSG, "manifest.json does not hold objects");
	return take_image(files, image, ret, err);
}

void xb_docker_image_clear(struct xb_docker_image *image)
{
	xb_manifest_clear(&image->manifest);
	xb_str_clear(&image->config);
}

int xb_docker_archive_read(const struct xb_docker_files *files, const char *name,
			   struct xb_docker_image *ret, struct xb_error *err)
{
	int r = take_named(files, name, ret, err);

	return r < 0 ? xb_error_wrap(err, r, "Docker archive") : 0;
}
