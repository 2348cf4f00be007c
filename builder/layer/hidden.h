/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What a layer that is applied alone, onto an empty directory, hides of the layers below it.
 *
 * A directory is made opaque at once: that is the same whatever is below. A name that is gone waits
 * until the layers below are there, since a mark for a name that was never there would show in some
 * views; an overlay is then asked to remove it, as for a layer that is applied to a merged view.
 *
 *	xb_hidden_note(), xb_hidden_opaque()	for each whiteout
 *	xb_hidden_settle()			when all that the layer has is there
 *	xb_hidden_remove()			in a view of the layer and those below it
 *
 * What none of this does justice to is refused with -EXDEV: the layer is then to be applied where
 * there is what it needs.
 */
#ifndef XB_BUILDER_LAYER_HIDDEN_H
#define XB_BUILDER_LAYER_HIDDEN_H

#include <stddef.h>

#include "base/array.h"
#include "base/error.h"
#include "base/str.h"

/** The most bytes of all names together, each with its NUL. */
#define XB_MAX_HIDDEN ((size_t)128 << 10)

/** Cleaned paths of names that lower layers may have; starts as `{ 0 }`. */
struct xb_hidden {
	struct xb_strv paths;
	size_t size; /**< their bytes, at most XB_MAX_HIDDEN */
};

/** Release. */
void xb_hidden_clear(struct xb_hidden *hidden);

/** The path of an entry is hidden: `parent` (empty: the root) and a name in it. -EXDEV: too many.
 */
int xb_hidden_note(struct xb_hidden *hidden, struct xb_view parent, const char *name,
		   struct xb_error *err);
/** Make the directory `dirfd` (may be O_PATH) below `root` opaque. -EXDEV: it cannot be. */
int xb_hidden_opaque(int root, int dirfd, struct xb_error *err);
/**
 * Forget the paths at which the layer itself has something, below `root`: that hides what is below,
 * once directories among it are opaque. Errors: -EXDEV, those of the file system.
 */
int xb_hidden_settle(struct xb_hidden *hidden, int root, struct xb_error *err);

/**
 * Remove from the view `root` the paths in `names`, each with its NUL. Those that are not there
 * are passed over; directories keep their times. -EBADMSG: `names` does not end with a NUL, or one
 * is not a name below `root`.
 */
int xb_hidden_remove(int root, struct xb_view names, struct xb_error *err);

#endif
