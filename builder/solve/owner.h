/* SPDX-License-Identifier: Apache-2.0 */
/** Who owns what COPY and WORKDIR make: names looked up in the image's own files. */
#ifndef XB_BUILDER_SOLVE_OWNER_H
#define XB_BUILDER_SOLVE_OWNER_H

#include <sys/types.h>

#include "base/array.h"
#include "base/error.h"
#include "base/str.h"

/** Where a tree's lists of users are read. */
struct xb_owner_files {
	/** Append the regular file of this absolute path to `text` (which bounds it): 1, or 0 or a
	 *  negative errno when there is none to be read. */
	int (*read)(void *context, const char *path, struct xb_str *text);
	void *context;
};

/** Those of the tree whose root directory is behind `rootfd`, resolved inside the tree. */
struct xb_owner_files xb_owner_files_of(const int *rootfd);

/**
 * Resolve "user[:group]" in a tree: numbers as they are, names by its /etc/passwd and /etc/group
 * (of at most 10 MiB). A user named without a group has the group of its passwd line; a number
 * without one has the same number as group. As in BuildKit, root and an empty half are 0, a user
 * that is not there is 0, and such a group the one that there would be without it; a line of
 * `warnings` says so. `files` NULL stands for no tree at all, in which no name but root is known.
 * Errors: -ENOENT for a name where there is no tree, -ERANGE for a number that is no id, fault
 * source.
 */
int xb_owner_resolve(const struct xb_owner_files *files, const char *text, uid_t *ret_uid,
		     gid_t *ret_gid, struct xb_strv *warnings, struct xb_error *err);

#endif
