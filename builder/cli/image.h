/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The images that command lines name:
 *
 *	REGISTRY/NAME[:TAG][@DIGEST]	a registry's, or of the store if that has a tag of the name
 *	docker://REFERENCE		a registry's
 *	store:NAME			of the store
 *	oci:DIR[:TAG][@DIGEST]		of a layout; also oci-layout://
 *	oci-archive:FILE[:TAG][@DIGEST]	of an OCI archive
 *	docker-archive:FILE[:NAME:TAG]	of a Docker archive
 */
#ifndef XB_BUILDER_CLI_IMAGE_H
#define XB_BUILDER_CLI_IMAGE_H

#include <stdbool.h>

#include "base/error.h"
#include "builder/cache/place.h"
#include "builder/cli/registries.h"
#include "builder/layer/image_archive.h"
#include "manifest/medley.h"
#include "manifest/place_layout.h"

/** An image by its name; do not copy it. Starts as `{ 0 }`. */
struct xb_named_image {
	struct xb_place *place; /**< where it is */
	char *tag; /**< its name there: a tag, a digest, or NULL (for archives, ""): the only one */
	char *name;		  /**< as users know it */
	struct xb_layout *layout; /**< the following: what `place` consists of */
	struct xb_layout_place in_layout;
	struct xb_store_place in_store;
	struct xb_place *remote;
	struct xb_medley *nothing; /**< in the place of what is foreseen */
	struct xb_archive *archive;
	char *path;  /**< of the archive's file: it is written anew (archive_target.h); else NULL */
	bool docker; /**< a Docker archive */
};

/** Release. */
void xb_named_image_clear(struct xb_named_image *image);
#define xb_auto_named_image XB_CLEANUP(xb_named_image_clear)

/** What is to be done with an image. */
enum xb_named_use {
	XB_NAMED_READ,	 /**< it is looked at */
	XB_NAMED_EDIT,	 /**< it is there and becomes another; it needs a tag */
	XB_NAMED_CREATE, /**< it need not be there; a name without prefix is a registry's, a layout
			      is made where there is none; it needs a tag */
	XB_NAMED_FORESEE /**< as XB_NAMED_CREATE, but nothing is written and nothing made */
};

/**
 * Find out where the image `name` is. `store` and `registries` are borrowed. Errors: -EINVAL, fault
 * usage; those of opening.
 */
int xb_named_image_open(const char *name, enum xb_named_use use, struct xb_store *store,
			struct xb_registries *registries, struct xb_named_image *ret,
			struct xb_error *err);

#endif
