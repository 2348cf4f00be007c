/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Directories that threads read ahead of a walk: opened, listed, and each entry asked for its
 * status; for builder/context/walk only.
 *
 * The walk asks for a directory that it will come to, and takes it when it is there. What nobody
 * has begun by then, and what failed for whatever reason, the walk does itself, so that errors are
 * its own and nothing is ever waited for that the walk could do. All functions are for the one
 * thread that walks.
 */
#ifndef XB_BUILDER_CONTEXT_LOOKAHEAD_H
#define XB_BUILDER_CONTEXT_LOOKAHEAD_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/names.h"

/** Entries of a directory that is read ahead; of one that has more nothing is. */
#define XB_LOOKAHEAD_ENTRIES ((size_t)1024)
/** Directories asked for and not taken at any time: a bound of memory and descriptors. */
#define XB_LOOKAHEAD_ASKED 24

/** A directory that was read; starts as XB_LISTING_INIT. */
struct xb_listing {
	int fd;		       /**< it, open for reading */
	struct stat st;	       /**< of it */
	struct xb_names names; /**< of its entries */
	struct stat *stats;    /**< of each name, a link not followed; st_mode 0: not known */
};
#define XB_LISTING_INIT ((struct xb_listing){ .fd = -1 })

/** Release. */
void xb_listing_clear(struct xb_listing *listing);

#define xb_auto_listing XB_CLEANUP(xb_listing_clear)

struct xb_lookahead;
/** A directory asked for. */
struct xb_asked;

/** Start so many threads; NULL where none can be started. */
struct xb_lookahead *xb_lookahead_new(unsigned threads);
/** End them. All that was asked for has been taken. NULL is left alone. */
void xb_lookahead_free(struct xb_lookahead *lookahead);

/**
 * Ask for `parent`/`name`, which is not to be a link; NULL when enough is asked for. It is read
 * before all others that wait, but not before `after` (NULL: none), asked for in the same
 * directory.
 */
struct xb_asked *xb_lookahead_ask(struct xb_lookahead *lookahead, int parent, const char *name,
				  struct xb_asked *after);
/**
 * Take what was asked for, which is gone then. Returns whether it was read; `ret` is the caller's
 * to release, also if not. With `ret` NULL it is thrown away.
 */
bool xb_lookahead_take(struct xb_lookahead *lookahead, struct xb_asked *asked,
		       struct xb_listing *ret);

#endif
