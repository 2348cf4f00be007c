/* SPDX-License-Identifier: Apache-2.0 */
/** Paths inside images, by text alone: nothing is looked up. */
#ifndef XB_BUILDER_PLAN_PATH_H
#define XB_BUILDER_PLAN_PATH_H

/**
 * `path` made absolute from the absolute directory `base`, with ".", ".." and doubled slashes
 * resolved by text; ".." stops at "/". A trailing slash is dropped. malloc()ed.
 */
char *xb_plan_path(const char *base, const char *path);

/**
 * As xb_plan_path(), but "dir/", "dir/." and "." keep one trailing slash, which for COPY means
 * "into this directory". malloc()ed.
 */
char *xb_plan_destination(const char *base, const char *path);

#endif
