/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Views of snapshots: the tree that a stack of snapshot directories shows.
 *
 * A snapshot directory holds one step's changes in overlay form (see base/overlay.h). A view is a
 * directory descriptor; where an overlay is needed it is a detached mount (nodev, nosuid) that
 * ends with its last descriptor. Views are for the builder's own reading and writing; a step's
 * root is mounted by xbuild-init.
 */
#ifndef XB_BUILDER_LAYER_TREE_H
#define XB_BUILDER_LAYER_TREE_H

#include <stddef.h>

#include "base/error.h"

/**
 * Show `lowers` (absolute paths, top first) as one tree, writable when `upper` and `work` are
 * given. Writes go to `upper`; `work` is an empty directory beside it, for this one view: nothing
 * that is written is synced (the caller does that before it records the snapshot), and the kernel
 * marks `work` so that it takes no second writable view. Both NULL: read only.
 *
 * A view that needs no overlay is the directory itself: one lower without upper, or an upper
 * without lowers. No lower and no upper gives an empty read-only tree.
 *
 * Returns a close-on-exec directory descriptor, opened for reading, or a negative errno: those
 * of open() and xb_overlay_mount(); fault store.
 */
int xb_tree_mount(const char *const *lowers, size_t n, const char *upper, const char *work,
		  struct xb_error *err);

/**
 * As xb_tree_mount(), for a view that others shall mount: the descriptor may be O_PATH, and as long
 * as it is open the view, and what was opened in it, can be bound into a step.
 */
int xb_tree_view(const char *const *lowers, size_t n, const char *upper, const char *work,
		 struct xb_error *err);

#endif
