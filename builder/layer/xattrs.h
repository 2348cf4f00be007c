/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Extended attributes that travel in layers: `user.*` but not `user.overlay.*` (which would act on
 * the store's own overlays) and `user.xbuild.*` (base/owner.h), file capabilities, POSIX ACLs.
 * Labels of security modules belong to the machine, not to the tree.
 *
 * File capabilities are kept in their version 2 form: version 3, which a user namespace writes,
 * names that namespace's root and is turned into version 2 when that is our root, else dropped.
 * Source: Linux include/uapi/linux/capability.h, struct vfs_ns_cap_data.
 */
#ifndef XB_BUILDER_LAYER_XATTRS_H
#define XB_BUILDER_LAYER_XATTRS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/array.h"
#include "base/error.h"

/** One attribute; both parts are owned. */
struct xb_xattr {
	char *name;
	char *value; /**< `len` bytes, not NULL */
	size_t len;
};

/** Attributes of one file, sorted by name; starts as `{ 0 }`. */
struct xb_xattrs XB_ARRAY(struct xb_xattr);

/** Release all of them. */
void xb_xattrs_clear(struct xb_xattrs *list);
#define xb_auto_xattrs XB_CLEANUP(xb_xattrs_clear)

/** Whether an attribute of this name is kept. */
bool xb_xattr_kept(const char *name);

/** Add a copy of an attribute at the end, or in the place of an earlier one of that name. */
void xb_xattrs_add(struct xb_xattrs *list, struct xb_view name, struct xb_view value);

/**
 * Read the attributes that are kept of `dirfd`/`name`, not following a link; with an empty `name`
 * those of the open file `dirfd`. A file system without attributes has none. `ret` is empty on
 * entry.
 */
int xb_xattrs_read(int dirfd, const char *name, struct xb_xattrs *ret, struct xb_error *err);

/**
 * Set attributes (whatever their names) likewise. Returns 0, or the number of those that the file
 * system or this user's rights did not allow (-EPERM, -ENOTSUP of the call), or a negative errno
 * for any other failure.
 */
int xb_xattrs_write(int dirfd, const char *name, const struct xb_xattrs *list,
		    struct xb_error *err);

#endif
