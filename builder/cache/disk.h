/* SPDX-License-Identifier: Apache-2.0 */
/** Blocks on disk, for the modules of this directory only. */
#ifndef XB_BUILDER_CACHE_DISK_H
#define XB_BUILDER_CACHE_DISK_H

#include <stdint.h>

/**
 * Bytes of the blocks of `dirfd`/`name` and all below it, a hard link counted once per name. What
 * vanishes meanwhile or lies deeper than a path can say counts as nothing; links are not followed.
 */
uint64_t xb_disk_usage(int dirfd, const char *name);

#endif
