/* SPDX-License-Identifier: Apache-2.0 */
/**
 * By what means a step gets the tree that it works on: an overlay of its parents' snapshots, or,
 * where the machine or the store's file system does not take overlays, a copy. What a step leaves
 * is the same in both, so that steps of one store may use now this and now that.
 *
 * Which it is is found out once in a process, when it is first asked for: a build that finds all of
 * its steps done never asks. Thread-safe.
 *
 * Where the store's file system takes no marks of overlays either (builder/layer/whiteout.h), the
 * file `snapshots.marks` of the store says so, and is there before the first snapshot that may have
 * other ones: whatever becomes of the machine or of the store, that one is not used with overlays
 * any more.
 */
#ifndef XB_BUILDER_CACHE_MEANS_H
#define XB_BUILDER_CACHE_MEANS_H

#include <stdbool.h>

#include "base/error.h"
#include "builder/cache/store.h"

/** What the user wants. */
enum xb_means {
	XB_MEANS_AUTO, /**< overlays where an attempt succeeds, else copies */
	XB_MEANS_OVERLAY,
	XB_MEANS_COPY,
};

/** Choose for this process, before the first question. */
void xb_means_choose(struct xb_store *store, enum xb_means means);

/**
 * Whether trees are copied: 1, 0 when overlays are mounted, or a negative errno: the store has no
 * room for an attempt, or overlays are wanted and its snapshots have marks that these do not know
 * (-ENOTSUP). An attempt mounts an overlay in the store, removes a file and makes a directory anew
 * in it, and looks at what that leaves.
 */
int xb_means_copies(struct xb_store *store, struct xb_error *err);

/**
 * Refuse a store whose snapshots hold owners in another way than this process does: in the files,
 * or recorded (base/owner.h), which the file `snapshots.owners` of the store says. A store without
 * snapshots takes either. Called once, when it is known as whom we are. Errors: -EPERM, fault
 * store.
 */
int xb_means_check_owners(struct xb_store *store, struct xb_error *err);

/**
 * A sentence for people that trees are copied, and why; NULL when they are not, it is not known
 * yet, or this was asked before. The caller frees it.
 */
char *xb_means_notice(struct xb_store *store);

#endif
