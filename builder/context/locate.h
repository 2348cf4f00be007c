/* SPDX-License-Identifier: Apache-2.0 */
/** Finding what a path of the context leads to; for the modules of this directory only. */
#ifndef XB_BUILDER_CONTEXT_LOCATE_H
#define XB_BUILDER_CONTEXT_LOCATE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/error.h"
#include "base/str.h"
#include "builder/context/filter.h"

/** A found object: it is `parent`/`name`. Start from XB_LOCATED_INIT. */
struct xb_located {
	int parent;	    /**< directory without links on the way to it */
	struct xb_str path; /**< from the root, without links; "." for the root */
	char *name;	    /**< its last component; "." for the root */
	struct stat st;	    /**< of the object, a link not followed */
};
#define XB_LOCATED_INIT ((struct xb_located){ .parent = -1, .path = XB_STR_INIT(XB_STR_OWN) })

/** Release. */
void xb_located_clear(struct xb_located *found);
#define xb_auto_located XB_CLEANUP(xb_located_clear)

/**
 * Walk `path` from `rootfd`, name by name, nothing opened but directories, links read and resolved
 * here with `rootfd` as "/", each name asked for at the ignore rules before it is touched.
 * Errors: -ENOENT (missing, or ignored: then with a hint), -ENOTDIR, -ELOOP; fault source.
 */
int xb_locate(int rootfd, const struct xb_context *context, const char *path, bool follow,
	      struct xb_located *ret, struct xb_error *err);

/** Clean a path as if "/" were in front: no ".", "..", empty names; "." for the root. */
char *xb_path_clean(const char *path);

#endif
