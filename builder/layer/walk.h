/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Walking a tree in a fixed order: names of each directory sorted by byte value, a directory
 * before what is in it.
 *
 * The walk holds one descriptor however deep the tree is, uses no recursion, follows no link and
 * takes no path: it goes down by name and up by "..", and notices when that is not where it
 * came from (-EXDEV). Links are entries; nothing is opened but directories.
 *
 *	while ((r = xb_walk_next(walk, &e, err)) > 0)
 *		if (e.event == XB_WALK_ENTRY && S_ISDIR(e.st.st_mode) && wanted)
 *			r = xb_walk_enter(walk, err);
 */
#ifndef XB_BUILDER_LAYER_WALK_H
#define XB_BUILDER_LAYER_WALK_H

#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"

struct xb_walk;

/** What the walk came upon. */
enum xb_walk_event {
	XB_WALK_ENTRY, /**< something in the current directory */
	XB_WALK_LEAVE, /**< an entered directory is done; the current one is its parent again */
};

/** Where the walk is; borrowed until the next call. */
struct xb_walk_entry {
	enum xb_walk_event event;
	const char *path; /**< relative to the root of the walk, no slash at either end */
	const char *name; /**< the last component */
	int dirfd;	  /**< the directory that holds it */
	struct stat st;	  /**< as found; for LEAVE as found before entering */
};

/** Begin at the directory `rootfd` (borrowed for this call; may be O_PATH). */
int xb_walk_new(int rootfd, struct xb_walk **ret, struct xb_error *err);
/** Release; NULL is left alone. */
void xb_walk_free(struct xb_walk *walk);

XB_DEFINE_CLEANUP(xb_walk_cleanup, struct xb_walk, xb_walk_free)
#define xb_auto_walk XB_CLEANUP(xb_walk_cleanup)

/** The next event: 1, or 0 at the end, or a negative errno. */
int xb_walk_next(struct xb_walk *walk, struct xb_walk_entry *ret, struct xb_error *err);
/** Go into the directory that the last xb_walk_next() gave as an entry. */
int xb_walk_enter(struct xb_walk *walk, struct xb_error *err);
/** The current directory, opened for reading; borrowed. */
int xb_walk_dirfd(const struct xb_walk *walk);

#endif
