/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Several places as one to read from (manifest/place.h): what is known to be in it, and where.
 *
 * It holds what was added and nothing else, so that a blob is never looked for in a place that
 * nobody said has it.
 */
#ifndef XB_MANIFEST_PLACE_UNION_H
#define XB_MANIFEST_PLACE_UNION_H

#include "base/map.h"
#include "manifest/place.h"

/** The place; made by xb_union_place_new(). Add all first: then several threads may read. */
struct xb_union_place {
	struct xb_place place;
	struct xb_map *where; /**< digest -> place */
};

/** An empty one; `name` (borrowed) is what messages call it. */
struct xb_union_place xb_union_place_new(const char *name);
/** Release; the places that were added stay. */
void xb_union_place_clear(struct xb_union_place *self);
#define xb_auto_union_place XB_CLEANUP(xb_union_place_clear)

/**
 * Add `root` and all that it needs, which `from` (borrowed) has. Of a blob that was
 * added before the place that was added last counts. Errors: those of reading its documents.
 */
int xb_union_place_add(struct xb_union_place *self, struct xb_place *from,
		       const struct xb_descriptor *root, struct xb_error *err);
/** Add one document or blob. */
void xb_union_place_add_one(struct xb_union_place *self, struct xb_place *from,
			    const struct xb_descriptor *blob);

#endif
