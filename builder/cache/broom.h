/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Removing from the disk what was moved away, while the process does what it was started for: a
 * thread of low priority, which waits for more until it is stopped. For the modules of this
 * directory only.
 *
 * The names are below ingest/ and bear this process's lease, so that whatever is left, also after
 * `kill -9`, goes with the next sweep.
 */
#ifndef XB_BUILDER_CACHE_BROOM_H
#define XB_BUILDER_CACHE_BROOM_H

#include "base/array.h"
#include "builder/cache/state.h"

/** Have these removed; takes the contents of `trash`. Any thread may call it, without the store's
 *  mutex. Where no thread can be had it is done before this returns. */
void xb_broom_give(struct xb_store *store, struct xb_strv *trash);
/** End it when nobody gives any more, waiting for a moment when there is still something to do:
 *  what is left then keeps the lease file there for the next sweep. */
void xb_broom_stop(struct xb_store *store);

#endif
