/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The images that command lines name: a tag of the store, a registry's reference, or
 * oci:DIR[:TAG][@DIGEST].
 */
#ifndef XB_BUILDER_CLI_IMAGE_H
#define XB_BUILDER_CLI_IMAGE_H

#include <stdbool.h>

#include "base/error.h"
#include "builder/cache/place.h"
#include "builder/cli/registries.h"
#include "manifest/place_layout.h"

/** An image by its name; do not copy it. Starts as `{ 0 }`. */
struct xb_named_image {
	struct xb_place *place; /**< where it is */
	char *tag;  /**< its name there: a tag, a digest, or NULL: the only one there is */
	char *name; /**< as users know it */
	struct xb_layout *layout; /**< the following: what `place` consists of */
	struct xb_layout_place in_layout;
	struct xb_store_place in_store;
	struct xb_place *remote;
};

/** Release. */
void xb_named_image_clear(struct xb_named_image *image);
#define xb_auto_named_image XB_CLEANUP(xb_named_image_clear)

/**
 * Find out where the image `name` is to be read from. A name without `oci:` is the store's if it
 * has a tag of this name, else a registry's. `store` and `registries` are borrowed. Errors:
 * -EINVAL, fault usage; those of opening.
 */
int xb_named_image_open(const char *name, struct xb_store *store, struct xb_registries *registries,
			struct xb_named_image *ret, struct xb_error *err);
/**
 * Likewise for an image to be written: a name without `oci:` is a registry's; a layout is made
 * where there is none. It must have a tag.
 */
int xb_named_image_create(const char *name, struct xb_registries *registries,
			  struct xb_named_image *ret, struct xb_error *err);

#endif
