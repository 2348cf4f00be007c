/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Turning tar entries into files below one directory, for the confined child.
 *
 * Every entry's parent is resolved by the kernel with the destination as root directory; every
 * call that makes, changes or removes something names one component below that parent and
 * follows no link. Names are cleaned ("./a//b/" is "a/b"); a component ".." is refused.
 *
 * An entry replaces what stands in its place, except that a directory entry keeps the contents of
 * a directory. A whiteout hides what lower layers have there and never what this layer wrote,
 * whatever the order in the tar.
 *
 * A layer comes out the same whether it is applied to the tree of those below it or `alone`, to an
 * empty one that overlayfs then lays over them: a file hides what is below it, a directory goes on
 * with a directory and hides anything else. Of whiteouts see builder/layer/hidden.h. What needs the
 * layers below is refused there: a directory or the target of a hard link that the layer does not
 * have itself, a name that it has twice.
 *
 * Source: OCI image-spec 1.1 layer.md, "Changesets".
 */
#ifndef XB_BUILDER_LAYER_APPLY_H
#define XB_BUILDER_LAYER_APPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/layer/tarread.h"

/** How entries are applied. */
struct xb_apply_options {
	int root;	    /**< the destination; borrowed */
	bool whiteouts;	    /**< names in `.wh.` mean what the image specification says */
	bool alone;	    /**< layers below are not in the destination: what depends on them
			       is refused */
	bool keep_root;	    /**< an entry for the destination itself changes nothing */
	bool plain;	    /**< files, directories and hard links alone; modes 0600 and 0700,
			       no owners, times or attributes */
	int64_t uid;	    /**< owner of everything, or -1: as each entry says */
	int64_t gid;	    /**< likewise */
	uint64_t max_size;  /**< all files together, holes included; more is -EFBIG */
	uint64_t max_count; /**< entries */
};

struct xb_apply;

/** Start; `options` is copied. */
struct xb_apply *xb_apply_new(const struct xb_apply_options *options);
/** Release; NULL is left alone. */
void xb_apply_free(struct xb_apply *a);

XB_DEFINE_CLEANUP(xb_apply_cleanup, struct xb_apply, xb_apply_free)
#define xb_auto_apply XB_CLEANUP(xb_apply_cleanup)

/**
 * Apply all entries of `tar`, then give directories their times.
 * Errors: -EBADMSG (an entry that no honest tar has), -EFBIG, -EXDEV (with the option `alone`: an
 * entry that means something only with what is below), those of the file system.
 */
int xb_apply_all(struct xb_apply *a, struct xb_tar_reader *tar, struct xb_error *err);

/** Entries applied so far. */
uint64_t xb_apply_count(const struct xb_apply *a);
/** The newest time of a regular file so far, in seconds; -1 without any. */
int64_t xb_apply_newest(const struct xb_apply *a);
/** What was left out and why; borrowed. */
const struct xb_strv *xb_apply_warnings(const struct xb_apply *a);
/** With the option `alone`: what remains to be removed from the layers below; borrowed. */
const struct xb_strv *xb_apply_hidden(const struct xb_apply *a);

#endif
