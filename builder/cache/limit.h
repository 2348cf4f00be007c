/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The bound of a store, kept before something is written: what nobody holds and was not used for
 * longest goes.
 *
 * The bound is what was set, else XB_LIMIT_SHARE percent of the file system's size; and, unless
 * collecting was switched off, as much of the file system as XB_LIMIT_FREE percent (at most
 * XB_LIMIT_FREE_MOST bytes) stays free. What tags and running processes hold is never taken, so a
 * store may be larger than its bound. Asking costs a system call while the file system holds less
 * than the bound; only beyond that is the store measured.
 */
#ifndef XB_BUILDER_CACHE_LIMIT_H
#define XB_BUILDER_CACHE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "builder/cache/store.h"

/** Percent of its file system that a store may take when nothing else is said. */
#define XB_LIMIT_SHARE 60
/** Percent of the file system that stay free, */
#define XB_LIMIT_FREE 5
/** and the most that this is. */
#define XB_LIMIT_FREE_MOST ((uint64_t)10 << 30)
/** For xb_limit_set(): nothing is ever collected by itself. */
#define XB_LIMIT_NONE UINT64_MAX

/** Set the bound of the store while this process uses it: bytes, 0 for the default, XB_LIMIT_NONE.
 */
void xb_limit_set(struct xb_store *store, uint64_t bytes);
/**
 * Something is about to be written: collect where the store is beyond its bound. Looked at no more
 * often than every few seconds, by one thread; what cannot be collected is left.
 */
void xb_limit_enforce(struct xb_store *store);
/**
 * The disk was full: collect a quarter of it, at most 30 GiB, as far as there is as much. Whether
 * it gave anything, so that trying once more is worth it.
 */
bool xb_limit_relieve(struct xb_store *store);

#endif
