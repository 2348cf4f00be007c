/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Looking into the tree below a step without needing all of it on disk.
 *
 * A sight is either one directory (a mounted view), or what lies one over the other: the snapshots
 * of steps, in overlay's form, and below them the shape of a base image that was not unpacked
 * (builder/layer/shape.h). What cannot be told from these is said to be doubtful, and whoever asked
 * has to look at the unpacked tree.
 */
#ifndef XB_BUILDER_SOLVE_SIGHT_H
#define XB_BUILDER_SOLVE_SIGHT_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/layer/shape.h"

/**
 * A directory in a tree, as all layers show it together. Starts as `{ 0 }`: an empty one.
 */
struct xb_sight {
	struct XB_ARRAY(int) fds;	   /**< of layers on disk, top first; owned */
	const struct xb_shape_node *shape; /**< below them; borrowed, NULL: nothing */
};

/** Release. */
void xb_sight_clear(struct xb_sight *sight);
#define xb_auto_sight XB_CLEANUP(xb_sight_clear)

/** Put an open directory below what is there; takes `fd`. */
void xb_sight_push(struct xb_sight *sight, int fd);
/** Make `ret` (empty) the same place. Errors: -errno of duplicating descriptors. */
int xb_sight_copy(const struct xb_sight *sight, struct xb_sight *ret);

/**
 * Go on into the directory `name` (one plain component), whose mode, owner and time go to `ret_st`.
 * Returns 1; 0 when there is nothing of that name; a negative errno when there is something else,
 * or it has extended attributes, or it is doubtful what it is. The place stays when it is not 1.
 */
int xb_sight_enter(struct xb_sight *sight, const char *name, struct stat *ret_st);
/** Whether there may be something of that name: false is certain. */
bool xb_sight_has(const struct xb_sight *sight, const char *name);
/** Whether the directory is certainly empty. */
bool xb_sight_is_empty(const struct xb_sight *sight);
/**
 * Append the regular file `path` (relative, plain components) to `text`: 1, 0 when there is none,
 * or a negative errno when it is doubtful, too large for `text`, or behind links.
 */
int xb_sight_read(const struct xb_sight *sight, const char *path, struct xb_str *text);

#endif
