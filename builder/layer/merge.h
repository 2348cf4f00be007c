/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Stacks of snapshots made one directory: what an overlay of them would show, on disk.
 *
 * Two uses. A stack deeper than overlays go has its oldest layers merged into one snapshot, whose
 * files are hard links to theirs: snapshots never change once they are made, and overlay copies a
 * file before it writes. And where there is no overlay, a step works on a copy of its own: there
 * nothing may be shared but blocks (reflinks), or the step would write into its parents.
 */
#ifndef XB_BUILDER_LAYER_MERGE_H
#define XB_BUILDER_LAYER_MERGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/** How files get into the merged directory. */
enum xb_merge_how {
	XB_MERGE_LINK, /**< as hard links, where the file system can; only for what never changes */
	XB_MERGE_COPY, /**< as copies, each name a file of its own, sharing blocks where possible */
};

/**
 * Make the empty directory `into_fd` show what the directories `lowers` (absolute paths, top
 * first, in overlay form) show together: whiteouts and opaque directories are carried out and leave
 * nothing of themselves. Times, owners, modes and kept attributes (builder/layer/xattrs.h) are
 * those of the topmost, also of the root. With XB_MERGE_COPY, files that are hard links of each
 * other become separate ones: what overlay does when one of them is written.
 *
 * Errors: those of reading and writing; fault store. `into_fd` is half made then.
 */
int xb_tree_merge(const char *const *lowers, size_t n, enum xb_merge_how how, int into_fd,
		  struct xb_error *err);

#endif
