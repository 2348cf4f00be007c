/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Where a snapshot is filled: a tree that shows its parents' and can be written to, and what is
 * written ends up in the snapshot, in overlay's form.
 *
 * By means of an overlay (builder/cache/means.h) that is a mount whose upper directory is the
 * snapshot's. Else it is a copy of the parents' tree in the snapshot's work directory, out of which
 * the difference is moved when the work is done.
 *
 *	xb_site_open()
 *	work in xb_site_mount(), or have a step run with what xb_site_spec() says
 *	xb_site_close(), which nothing may use the tree after; then xb_snapshot_commit()
 */
#ifndef XB_BUILDER_SOLVE_SITE_H
#define XB_BUILDER_SOLVE_SITE_H

#include <stdbool.h>
#include <time.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "builder/cache/snapshot.h"
#include "builder/sandbox/spec.h"

/** A site. Starts as XB_SITE_INIT. */
struct xb_site {
	struct xb_store *store;
	struct xb_snapshot snapshot;
	const struct xb_strv *lowers; /**< absolute paths, top first; borrowed */
	char *upper;		      /**< absolute paths of the snapshot's directories */
	char *work;
	char *tree; /**< that of the copy; NULL: none */
	uid_t uid; /**< whose what the process makes is (xb_owners_settle()); 0 unless it is said */
	gid_t gid;
	bool process;	       /**< a process of others' works in it */
	struct timespec begun; /**< what it changes has this time or a later one */
};

#define XB_SITE_INIT ((struct xb_site){ 0 })

/**
 * Prepare the fresh snapshot `snapshot` for work on the tree that `lowers` show (none: an empty
 * one). `process`: a process of others' will have it as its root. Copies the tree where overlays
 * cannot be used.
 */
int xb_site_open(struct xb_store *store, const struct xb_snapshot *snapshot,
		 const struct xb_strv *lowers, bool process, struct xb_site *ret,
		 struct xb_error *err);
/** The tree, to work in: a descriptor that is the caller's, and has to be closed first. */
int xb_site_mount(const struct xb_site *site, struct xb_error *err);
/** Make the tree the root of a step. */
void xb_site_spec(const struct xb_site *site, struct xb_sandbox_spec *spec);
/**
 * The work is done: everything that it changed is moved to the snapshot, unless it is there. What a
 * process opened for writing and did not write is taken out of it (builder/layer/lean.h).
 */
int xb_site_close(struct xb_site *site, struct xb_error *err);
/** Release the memory; the snapshot is the caller's to commit or discard. */
void xb_site_clear(struct xb_site *site);
#define xb_auto_site XB_CLEANUP(xb_site_clear)

/**
 * A tree as `lowers` show it, to be written to and then lost with the fresh snapshot in which that
 * happens. Returns a descriptor for xb_tree_view()'s uses, or a negative errno.
 */
int xb_site_scratch(struct xb_store *store, const struct xb_snapshot *snapshot,
		    const struct xb_strv *lowers, struct xb_error *err);

#endif
