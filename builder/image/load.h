/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The merged tree of an image, wherever the image is: each layer is read once, by a confined child
 * (builder/layer/unpack.h), several at once; nothing is unpacked.
 */
#ifndef XB_BUILDER_IMAGE_LOAD_H
#define XB_BUILDER_IMAGE_LOAD_H

#include <stdbool.h>

#include "base/error.h"
#include "builder/image/tree.h"
#include "builder/layer/unpack.h"
#include "manifest/manifest.h"
#include "manifest/place.h"

/** How to load. */
struct xb_image_source {
	struct xb_place *place; /**< where the image is */
	int scratch;		/**< a directory for files without names, open for reading */
	bool digests;		/**< the digests of all files are wanted */
	const struct xb_unpack_limits *limits; /**< of a layer; NULL: the defaults */
};

/**
 * Make the tree of an image of one platform from its layers, which both lists have, lowest first.
 * Errors: those of reading; -EBADMSG for a layer that is not what its descriptor says or cannot be
 * put on those below it.
 */
int xb_image_tree_load(const struct xb_image_source *how, const struct xb_manifest *manifest,
		       const struct xb_digest *diff_ids, size_t diff_ids_len,
		       struct xb_image_tree **ret, struct xb_error *err);

#endif
