/* SPDX-License-Identifier: Apache-2.0 */
/** Who owns what COPY and WORKDIR make: names looked up in the image's own files. */
#ifndef XB_BUILDER_SOLVE_OWNER_H
#define XB_BUILDER_SOLVE_OWNER_H

#include <sys/types.h>

#include "base/array.h"
#include "base/error.h"

/**
 * Resolve "user[:group]" in the tree `rootfd`: numbers as they are, names by its /etc/passwd and
 * /etc/group (regular files of at most 10 MiB, resolved inside the tree). A user named without a
 * group has the group of its passwd line; a number without one has the same number as group.
 * As in BuildKit, root and an empty half are 0, a user that is not there is 0, and such a group the
 * one that there would be without it; a line of `warnings` says so. A negative `rootfd` stands for
 * no tree at all, in which no name but root is known. Errors: -ENOENT for a name where there is no
 * tree, -ERANGE for a number that is no id, fault source.
 */
int xb_owner_resolve(int rootfd, const char *text, uid_t *ret_uid, gid_t *ret_gid,
		     struct xb_strv *warnings, struct xb_error *err);

#endif
