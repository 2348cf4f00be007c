/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Mount points that xbuild-init made in a step's root because the image lacks them, where that root
 * is a plain directory (`tree` of a specification) and no overlay: the list of them, written by
 * xbuild-init, is read when the step is done, and they are taken away again.
 */
#ifndef XB_BUILDER_SANDBOX_POINTS_H
#define XB_BUILDER_SANDBOX_POINTS_H

#include "base/error.h"

/** Bytes of a list at most. */
#define XB_MAX_POINTS ((size_t)64 << 20)

/**
 * Remove from the tree `root` what the file `name` of the directory `dir` lists (no such file: it
 * lists nothing) and the step has not filled. Directories around keep the time that they have.
 * Errors: those of reading the list and of removing.
 */
int xb_points_remove(int dir, const char *name, int root, struct xb_error *err);

#endif
