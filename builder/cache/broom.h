/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Removing from the disk what a sweep has moved away, while the process does what it was started
 * for: a thread of low priority. For the modules of this directory only.
 *
 * The names are below ingest/ and bear this process's lease, so that whatever is left, also after
 * `kill -9`, goes with the next sweep.
 */
#ifndef XB_BUILDER_CACHE_BROOM_H
#define XB_BUILDER_CACHE_BROOM_H

#include "base/array.h"
#include "builder/cache/state.h"

/** Start; takes the contents of `trash`. Once in the life of a store. Without a thread it is done
 *  before this returns. */
void xb_broom_start(struct xb_store *store, struct xb_strv *trash);
/** End it, waiting for a moment when there is still something to do: then the lease file stays. */
void xb_broom_stop(struct xb_store *store);

#endif
