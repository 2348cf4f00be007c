/* SPDX-License-Identifier: Apache-2.0 */
/** An image of one platform, read whole: its documents and its merged tree. */
#ifndef XB_BUILDER_CLI_LOADED_IMAGE_H
#define XB_BUILDER_CLI_LOADED_IMAGE_H

#include "base/error.h"
#include "builder/image/load.h"
#include "manifest/image.h"

/** The image; starts as `{ 0 }`. */
struct xb_loaded_image {
	struct xb_platform platform; /**< as the index has it, else the config */
	struct xb_digest digest;     /**< of the manifest */
	struct xb_manifest manifest;
	struct xb_image_config config;
	struct xb_image_tree *tree;
};

/** Release. */
void xb_loaded_image_clear(struct xb_loaded_image *image);

#define xb_auto_loaded_image XB_CLEANUP(xb_loaded_image_clear)

/** Read what `manifest` names. Errors: those of reading, with the platform in the message. */
int xb_loaded_image_read(const struct xb_image_source *from, const struct xb_descriptor *manifest,
			 struct xb_loaded_image *ret, struct xb_error *err);

#endif
