/* SPDX-License-Identifier: Apache-2.0 */
/* xbuild manifest inspect */
#include <stdio.h>

#include "builder/cli/manifest_tool.h"
#include "manifest/image.h"

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

int xb_manifest_tool_inspect(struct xb_manifest_tool *tool, struct xb_error *err)
{
	xb_auto_named_image struct xb_named_image image = { 0 };
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	int r = xb_manifest_tool_open(tool, tool->operands.items[0], XB_NAMED_READ, &image, err);

	if (r == 0)
		r = image.place->ops->resolve(image.place, image.tag, &root, err);
	if (r < 0)
		return r;
	return tool->options.raw ? print_raw(image.place, &root, err)
				 : print_table(&image, &root, err);
}
