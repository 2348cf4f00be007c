/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/loaded_image.h"

void xb_loaded_image_clear(struct xb_loaded_image *image)
{
	xb_manifest_clear(&image->manifest);
	xb_image_config_clear(&image->config);
	xb_image_tree_free(image->tree);
	*image = (struct xb_loaded_image){ 0 };
}

int xb_loaded_image_read(const struct xb_image_source *from, const struct xb_descriptor *manifest,
			 struct xb_loaded_image *ret, struct xb_error *err)
{
	int r = xb_image_read_manifest(from->place, manifest, &ret->manifest, err);

	if (r == 0)
		r = xb_image_read_config(from->place, &ret->manifest, &ret->config, err);
	if (r == 0)
		r = xb_image_tree_load(from, &ret->manifest, ret->config.diff_ids.items,
				       ret->config.diff_ids.len, &ret->tree, err);
	if (r < 0)
		return xb_error_wrap(err, r, "image for %s",
				     manifest->has_platform
					     ? xb_platform_name(&manifest->platform).text
					     : "one platform");
	ret->platform = manifest->has_platform ? manifest->platform : ret->config.platform;
	ret->digest = manifest->digest;
	return 0;
}
