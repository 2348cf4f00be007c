/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Removing from a view what lower layers show in it, and keeping what a layer has written itself:
 * whiteouts and opaque directories.
 */
#ifndef XB_BUILDER_LAYER_PRUNE_H
#define XB_BUILDER_LAYER_PRUNE_H

#include "base/error.h"
#include "builder/layer/inodes.h"

/**
 * Remove `dirfd`/`name` unless it is in `keep`; of a directory all that is not in `keep`, and the
 * directory itself when it is not and nothing is left in it.
 */
int xb_prune(int dirfd, const char *name, const struct xb_inodes *keep, struct xb_error *err);

/** As xb_prune(), for everything in the open directory `fd`. */
int xb_prune_contents(int fd, const struct xb_inodes *keep, struct xb_error *err);

#endif
