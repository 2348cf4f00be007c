/* SPDX-License-Identifier: Apache-2.0 */
/** Making a directory look like another one. */
#ifndef XB_BUILDER_LAYER_DRESS_H
#define XB_BUILDER_LAYER_DRESS_H

#include <sys/stat.h>

#include "base/error.h"

/**
 * Give the directory `to` owner, mode and kept attributes (builder/layer/xattrs.h) of `from`, and
 * no others: all but its time, which comes when it is full. Both are open for reading.
 */
int xb_dress(int from, int to, struct xb_error *err);

/** Give the open file `fd` the time of its last change that `st` says. */
int xb_dress_time(int fd, const struct stat *st, struct xb_error *err);

#endif
