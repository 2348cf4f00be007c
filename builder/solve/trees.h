/* SPDX-License-Identifier: Apache-2.0 */
/** Trees of results on disk: the snapshots of their layers, unpacked when first needed. */
#ifndef XB_BUILDER_SOLVE_TREES_H
#define XB_BUILDER_SOLVE_TREES_H

#include "base/array.h"
#include "builder/cache/store.h"
#include "builder/solve/result.h"
#include "builder/solve/rosters.h"
#include "builder/solve/sight.h"

/**
 * Append the absolute paths of the snapshots of `result`, top first, to `lowers`. Layers of base
 * images that have none yet are fetched and unpacked (builder/solve/unpacking.h), each once however
 * many processes and threads ask, unless one has more than `max_layer` bytes (0: a default by its
 * blob's size). Of more than 192 layers the oldest are merged into one snapshot, recorded too, so
 * that there are never more paths than any kernel's overlay takes. Lines about what could not be
 * unpacked as it is go to `warnings`. Thread-safe.
 */
int xb_trees_paths(struct xb_store *store, const struct xb_result *result, uint64_t max_layer,
		   struct xb_strv *lowers, struct xb_strv *warnings, struct xb_error *err);

/**
 * The snapshot of the top layer of `result`, unpacked where it was not, over those below it; it is
 * a record's, which keeps it. Limits and warnings as above. Thread-safe.
 */
int xb_trees_top(struct xb_store *store, const struct xb_result *result, uint64_t max_layer,
		 struct xb_snapshot *ret, struct xb_strv *warnings, struct xb_error *err);

/**
 * See a result's tree without unpacking what was not unpacked yet: the layers that steps made are
 * on disk, those of the base below them are listed (builder/solve/rosters.h). `*ret` is empty on
 * entry; it borrows from `shapes`. Returns 1, or 0 where all is unpacked already or the layers lie
 * otherwise. Errors: those of xb_shapes_get(). Thread-safe.
 */
int xb_trees_list(struct xb_store *store, const struct xb_result *result, struct xb_shapes *shapes,
		  uint64_t max_layer, struct xb_sight *ret, struct xb_error *err);

/**
 * Open a read-only view of a result's tree (NULL: an empty one); returns its descriptor. Where
 * overlays cannot be used, it is a snapshot into which all layers are merged, by hard links.
 */
int xb_trees_open(struct xb_store *store, const struct xb_result *result, uint64_t max_layer,
		  struct xb_strv *warnings, struct xb_error *err);
/** Likewise, as a view that can be bound into a step: see xb_tree_view(). */
int xb_trees_view(struct xb_store *store, const struct xb_result *result, uint64_t max_layer,
		  struct xb_strv *warnings, struct xb_error *err);

#endif
