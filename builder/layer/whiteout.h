/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What stands in a snapshot for a name that is gone: a character device 0/0, as in overlay. Which
 * directories hide what is below them is in builder/layer/xattrs.h.
 */
#ifndef XB_BUILDER_LAYER_WHITEOUT_H
#define XB_BUILDER_LAYER_WHITEOUT_H

#include <stdbool.h>
#include <sys/stat.h>

/** Whether a file of this status is one. */
bool xb_whiteout_is(const struct stat *st);
/** Make one. Returns 0 or a negative errno; -EPERM where the file system is an overlay itself. */
int xb_whiteout_make(int dirfd, const char *name);
/** Make the open directory hide what is below it. Returns 0 or a negative errno. */
int xb_whiteout_opaque(int fd);

#endif
