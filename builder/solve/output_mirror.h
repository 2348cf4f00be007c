/* SPDX-License-Identifier: Apache-2.0 */
/** `mode=delete` of type=local: a directory gets rid of what is not in the result. */
#ifndef XB_BUILDER_SOLVE_OUTPUT_MIRROR_H
#define XB_BUILDER_SOLVE_OUTPUT_MIRROR_H

#include "builder/layer/pack.h"

/**
 * Remove from the directory `dest_fd` what no tree has under the same name, and what is a directory
 * where a tree has something else, or the other way round. Trees that have a directory of their own
 * around them are taken for that directory, whatever is in it. Links are not followed. Errors:
 * those of removing; -EPERM, fault usage, for the root directory of this system.
 */
int xb_output_mirror(int dest_fd, const struct xb_pack_tree *trees, size_t count,
		     struct xb_error *err);

#endif
