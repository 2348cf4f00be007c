/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The ground that a COPY or WORKDIR stands on: what its result can depend on in the tree below.
 *
 * Most copies meet nothing of that tree but the directories on the way to their destination. Then
 * their layer is the same on every tree that has these: it is made once for all platforms and found
 * again under another base. Such a copy is made in an empty tree in which the directories on the
 * way have been made again, as overlay would have copied them up; so its layer has the same bytes
 * as on the whole tree (docs/decisions/0028).
 */
#ifndef XB_BUILDER_SOLVE_GROUND_H
#define XB_BUILDER_SOLVE_GROUND_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/error.h"
#include "builder/solve/sight.h"

/** A directory on the way that is there. */
struct xb_ground_dir {
	char *name; /**< one component */
	struct stat st;
};

/** What is there of the way to a destination; starts as `{ 0 }`. */
struct xb_ground {
	struct XB_ARRAY(struct xb_ground_dir) dirs; /**< outermost first, the root left out */
	bool complete; /**< the whole way is there: the destination is a directory */
	bool named;    /**< the owner is known by the tree's own lists of users */
	uid_t uid;     /**< the owner of what is made; see xb_ground_own() */
	gid_t gid;
	struct xb_strv warnings; /**< of names that those lists do not have */
};

/** Release. */
void xb_ground_clear(struct xb_ground *ground);
#define xb_auto_ground XB_CLEANUP(xb_ground_clear)

/**
 * See what the tree `root` has on the way to `destination` (absolute). Returns true when all there
 * is of it are plain directories: no links, no extended attributes, nothing like "..". `ret_place`
 * (empty on entry) becomes the innermost one. False: the step has to be made on the tree.
 */
bool xb_ground_find(const struct xb_sight *root, const char *destination, struct xb_ground *ret,
		    struct xb_sight *ret_place);
/**
 * Find the owner "user[:group]" of what is made, as xb_owner_resolve() does. False when the tree
 * has to be asked.
 */
bool xb_ground_own(const struct xb_sight *root, const char *owner, struct xb_ground *ret);

/** Add to a key all of the ground that a result depends on. The innermost directory's time is not
 *  among it: what is put into it sets it anew. */
void xb_ground_hash(const struct xb_ground *ground, struct xb_hasher *h);

/** Make the directories in the empty tree `root`. */
int xb_ground_make(const struct xb_ground *ground, int root, struct xb_error *err);

/** Nothing came into the innermost one: take them away again, since overlay would have copied
 *  nothing up. */
int xb_ground_unmake(const struct xb_ground *ground, int root, struct xb_error *err);

#endif
