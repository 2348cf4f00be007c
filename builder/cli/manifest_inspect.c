/* SPDX-License-Identifier: Apache-2.0 */
/* xbuild manifest inspect */
#include <stdio.h>

#include "base/json.h"
#include "builder/cli/manifest_tool.h"
#include "builder/cli/template.h"
#include "manifest/image.h"
#include "manifest/media.h"

static int print_raw(struct xb_place *place, const struct xb_descriptor *root, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	int r = place->ops->read(place, root, XB_MAX_MANIFEST, &text, err);

	if (r == 0)
		(void)fwrite(text.data, 1, text.len, stdout);
	return r;
}

static int print_image(struct xb_place *place, const struct xb_descriptor *image,
		       struct xb_error *err)
{
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	uint64_t size = image->size;
	int r = xb_image_read_manifest(place, image, &manifest, err);

	if (r < 0)
		return r;
	size += manifest.config.size;
	for (size_t i = 0; i < manifest.layers.len; i++)
		size += manifest.layers.items[i].size;
	(void)printf("%-20s %s %6zu %10.1f MB\n", xb_platform_name(&image->platform).text,
		     image->digest.text, manifest.layers.len, (double)size / 1e6);
	return 0;
}

static int print_table(const struct xb_named_image *image, const struct xb_descriptor *root,
		       struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors images = { 0 };
	int r = xb_image_list(image->place, root, &images, err);

	if (r < 0)
		return r;
	(void)printf("%s\n%s %s\n\n", image->name, root->media_type, root->digest.text);
	(void)printf("%-20s %-71s %6s %13s\n", "PLATFORM", "DIGEST", "LAYERS", "SIZE");
	for (size_t i = 0; r == 0 && i < images.len; i++)
		r = print_image(image->place, &images.items[i], err);
	return r;
}

/* ---- --format ----------------------------------------------------------------------------- */

/* The document's members, with what its descriptor says: as buildx gives both. */
static int add_manifest(struct xb_place *place, const struct xb_descriptor *root, json_t *data,
			struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_json json_t *document = NULL, *descriptor = NULL;
	int r = place->ops->read(place, root, XB_MAX_MANIFEST, &text, err);

	if (r == 0)
		r = xb_json_parse(xb_str_view(&text), XB_MAX_MANIFEST, &document, err);
	if (r < 0)
		return r;
	descriptor = xb_descriptor_to_json(root);
	(void)json_object_update(document, descriptor);
	xb_json_set_new(data, "manifest", XB_STEAL(document));
	return 0;
}

static int read_config(struct xb_place *place, const struct xb_descriptor *image, json_t **ret,
		       struct xb_error *err)
{
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_CONFIG);
	int r = xb_image_read_manifest(place, image, &manifest, err);

	if (r == 0)
		r = place->ops->read(place, &manifest.config, XB_MAX_CONFIG, &text, err);
	return r < 0 ? r : xb_json_parse(xb_str_view(&text), XB_MAX_CONFIG, ret, err);
}

/* The config of the only image, or of each platform's by its name. */
static int add_configs(struct xb_place *place, const struct xb_descriptor *root, json_t *data,
		       struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors images = { 0 };
	xb_auto_json json_t *all = json_object();
	bool index = xb_media_kind(root->media_type) == XB_MEDIA_INDEX;
	int r = xb_image_list(place, root, &images, err);

	for (size_t i = 0; r == 0 && i < images.len; i++) {
		json_t *config = NULL;

		r = read_config(place, &images.items[i], &config, err);
		if (r == 0)
			xb_json_set_new(index ? all : data,
					index ? xb_platform_name(&images.items[i].platform).text
					      : "image",
					config);
	}
	if (r == 0 && index)
		xb_json_set_new(data, "image", XB_STEAL(all));
	return r;
}

static int print_format(const struct xb_named_image *image, const struct xb_descriptor *root,
			const char *format, struct xb_error *err)
{
	xb_auto_json json_t *data = json_object();
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int r;

	xb_json_set_string(data, "name", image->name);
	r = add_manifest(image->place, root, data, err);
	if (r == 0)
		r = add_configs(image->place, root, data, err);
	if (r == 0)
		r = xb_template_print(format, data, &text, err);
	if (r == 0)
		(void)printf("%s\n", xb_str_text(&text));
	return r;
}

int xb_manifest_tool_inspect(struct xb_manifest_tool *tool, struct xb_error *err)
{
	xb_auto_named_image struct xb_named_image image = { 0 };
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	int r = xb_manifest_tool_open(tool, tool->operands.items[0], XB_NAMED_READ, &image, err);

	if (r == 0)
		r = image.place->ops->resolve(image.place, image.tag, &root, err);
	if (r < 0)
		return r;
	if (tool->options.format != NULL)
		return print_format(&image, &root, tool->options.format, err);
	return tool->options.raw ? print_raw(image.place, &root, err)
				 : print_table(&image, &root, err);
}
