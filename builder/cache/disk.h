/* SPDX-License-Identifier: Apache-2.0 */
/** Room on disk, for the modules of this directory only. */
#ifndef XB_BUILDER_CACHE_DISK_H
#define XB_BUILDER_CACHE_DISK_H

#include <stdint.h>

/** What something takes of a disk. */
struct xb_room {
	uint64_t bytes;	 /**< of the blocks */
	uint64_t inodes; /**< files, directories and all else */
};

/**
 * The room of `dirfd`/`name` and all below it, as du counts it: a file of several names once. What
 * vanishes meanwhile or lies deeper than a path can say counts as nothing; links are not followed.
 */
struct xb_room xb_disk_room(int dirfd, const char *name);

#endif
