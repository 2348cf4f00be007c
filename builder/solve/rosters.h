/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Rosters of base images' layers in the store, and the shapes that a build makes of them.
 *
 * A roster is made when it is first needed, by the confined child, and kept as a blob that a
 * record names by the layer's diff ID; it is collected as any other result.
 */
#ifndef XB_BUILDER_SOLVE_ROSTERS_H
#define XB_BUILDER_SOLVE_ROSTERS_H

#include "base/error.h"
#include "builder/cache/store.h"
#include "builder/layer/shape.h"
#include "builder/solve/result.h"

/** The shapes that one build has made. Thread-safe. */
struct xb_shapes;

/** None yet. */
struct xb_shapes *xb_shapes_new(void);
/** Release them all; NULL is left alone. */
void xb_shapes_free(struct xb_shapes *shapes);

XB_DEFINE_CLEANUP(xb_shapes_cleanup, struct xb_shapes, xb_shapes_free)
#define xb_auto_shapes XB_CLEANUP(xb_shapes_cleanup)

/**
 * The shape of the lowest `count` layers (at least one) of `result`, whose blobs are fetched
 * where they have to be. It is borrowed from `shapes`. `max_layer` as for xb_trees_paths(). Errors:
 * -ENOTSUP, -EBADMSG and -EFBIG for layers that cannot be listed, which may be unpacked all the
 * same; those of the store.
 */
int xb_shapes_get(struct xb_shapes *shapes, struct xb_store *store, const struct xb_result *result,
		  size_t count, uint64_t max_layer, const struct xb_shape **ret,
		  struct xb_error *err);

#endif
