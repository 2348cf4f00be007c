/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Records of steps in the image that they made (`--cache-to type=inline`): a member of the image's
 * config, beside those that the OCI specification has, says which layer is of which step's key:
 *
 *	"vnd.xbuild.cache.v1":{"version":1,"records":[…]}
 *
 * the records being those of a catalog. The image gets another digest by that than without, but the
 * same each time that it is built so with the same SOURCE_DATE_EPOCH. Decision 0042.
 */
#ifndef XB_BUILDER_SOLVE_INLINE_H
#define XB_BUILDER_SOLVE_INLINE_H

#include "builder/cache/catalog.h"
#include "builder/solve/depot.h"
#include "manifest/config.h"

/** The member's name. */
#define XB_INLINE_MEMBER "vnd.xbuild.cache.v1"

/**
 * Put the records of `catalog` whose blobs are among `layers` into the config; none puts nothing.
 * Records that the config has already, of a base, go.
 */
int xb_inline_put(struct xb_image_config *config, const struct xb_catalog *catalog,
		  const struct xb_descriptors *layers, struct xb_error *err);
/**
 * Add to `catalog` the records that the images below `root` have for these platforms. Errors: those
 * of the place; -ENOENT when `root` is no image, or one without records.
 */
int xb_inline_read(const struct xb_depot *depot, const struct xb_descriptor *root,
		   const struct xb_platform *platforms, size_t platform_count,
		   struct xb_catalog *catalog, struct xb_error *err);

#endif
