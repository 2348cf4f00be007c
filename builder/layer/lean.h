/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Taking out of a step's snapshot what is as it was in the tree below.
 *
 * An overlay copies a file up when it is opened for writing, written or not (a lock, a database
 * that is looked at), with the directories around it. None of that changes the tree, so none of it
 * belongs into a layer: with it, layers would depend on whether an overlay was used.
 *
 * Source: BuildKit leaves the same out (util/overlay), as do containerd's differences.
 */
#ifndef XB_BUILDER_LAYER_LEAN_H
#define XB_BUILDER_LAYER_LEAN_H

#include <stddef.h>
#include <time.h>

#include "base/error.h"

/**
 * Remove from the snapshot directory `upper` every file of one name that is what the snapshots
 * `lowers` (absolute paths, top first) show in its place, in type, mode, owner, time, kept
 * attributes and content; and every directory in which nothing is left and that is as it was. Times
 * of the directories that stay are kept. What was changed after `since`, a time of that file
 * system's clock when `lowers` were complete, is not looked at: it cannot be as it was.
 *
 * Errors: those of reading and removing; fault store.
 */
int xb_lean_make(int upper, const char *const *lowers, size_t n, const struct timespec *since,
		 struct xb_error *err);

#endif
