/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The difference between a tree as it was listed and as it is, moved to a directory in overlay's
 * form: what overlay would have left in its upper directory had it been mounted.
 *
 * For machines without overlay: a step works on a copy of its parents' tree, which is listed before
 * (builder/layer/listing.h); afterwards what the step made or changed is moved out of it.
 *
 *	added or changed		moved, with the directories around it
 *	gone				a whiteout
 *	a directory in the place of	the directory, opaque
 *	   something else, or anew
 *
 * Like overlay's, files of several names that were there before are one file in the difference only
 * if the step linked them; like overlay's, an unchanged file whose status was set to what it was is
 * in the difference. Unlike overlay's, what was opened for writing and not written is not (see
 * builder/layer/lean.h).
 */
#ifndef XB_BUILDER_LAYER_DIFFERENCE_H
#define XB_BUILDER_LAYER_DIFFERENCE_H

#include "base/error.h"

/**
 * Move what has changed in `tree` since xb_listing_write(tree, dir) to the empty directory `upper`
 * on the same file system; the root of `upper` gets mode, owner, attributes and time of `tree`.
 * `tree` is of no use afterwards.
 *
 * Errors: -EINVAL (fault step) for what no snapshot can hold: a device 0/0, which stands for a
 * removed file; those of reading and writing, fault store. `upper` is half made then.
 */
int xb_difference_take(int tree, int dir, int upper, struct xb_error *err);

#endif
