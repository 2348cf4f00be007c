/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Walking a tree below the ignore rules, in byte order of the names in each directory, a directory
 * before what is in it; for the modules of this directory only.
 *
 * Files are not opened: whoever visits one does that, with xb_walk_open(). Neither depth nor width
 * costs stack or open descriptors. The overlay's whiteouts are passed over. A file that vanishes
 * while the walk goes on is as if it had never been. In trees of many directories threads read
 * some of them ahead (builder/context/lookahead.h); visits are in the same order, on the thread
 * that walks.
 */
#ifndef XB_BUILDER_CONTEXT_WALK_H
#define XB_BUILDER_CONTEXT_WALK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/str.h"
#include "builder/context/filter.h"
#include "builder/context/select.h"

/** What the walk met; borrowed for the duration of a visit. */
struct xb_walk_entry {
	const char *path;      /**< from the root that the ignore rules are written for */
	const char *below;     /**< from where the walk began; "" for that itself */
	struct stat st;	       /**< a link not followed */
	int dirfd;	       /**< the directory it is in */
	const char *name;      /**< its name there */
	struct xb_view target; /**< of a symbolic link */
	struct xb_view xattrs; /**< of a directory, encoded, sorted by name */
};

/** What to walk. */
struct xb_walk {
	const struct xb_context *context; /**< ignore rules, or NULL */
	const char *path;		  /**< of the start, from the rules' root; "." for it */
	const struct xb_select *select;	  /**< what is wanted of it; NULL: all */
	bool names_only;		  /**< read no attributes */
	unsigned helpers; /**< threads that read ahead; 0: as many as pay on this machine */
	/** Returns 0 to go on; anything else ends the walk with it. */
	int (*visit)(void *visitor, const struct xb_walk_entry *entry, struct xb_error *err);
	void *visitor;
};

/**
 * Visit `parent`/`name` and, for a directory, all below it. An ignored directory is visited only
 * with the first thing below it that is not. Returns what the last visit returned, or a negative
 * errno with the path in the message.
 */
int xb_walk_run(const struct xb_walk *walk, int parent, const char *name, struct xb_error *err);

/**
 * Open the regular file that is visited, for reading, and say in `ret_st` what it is now. Returns a
 * descriptor of the caller's, or a negative errno: -ESTALE when something else has taken its place.
 */
int xb_walk_open(const struct xb_walk_entry *entry, struct stat *ret_st, struct xb_error *err);

#endif
