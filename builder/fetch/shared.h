/* SPDX-License-Identifier: Apache-2.0 */
/** What the ways of fetching have in common; for the modules of this directory. */
#ifndef XB_BUILDER_FETCH_SHARED_H
#define XB_BUILDER_FETCH_SHARED_H

#include <stdint.h>

#include "base/error.h"
#include "builder/cache/keylock.h"
#include "builder/cache/store.h"

/**
 * Take the lock of a record's key, waiting for whoever fetches the same, until `cancel_fd` (-1:
 * none) is readable. `*ret_since`: the time when waiting began, -1 when there was no need to.
 * Errors: -ECANCELED, those of xb_keylock_take().
 */
int xb_fetch_turn(struct xb_store *store, const char *key, int cancel_fd, struct xb_keylock **ret,
		  int64_t *ret_since, struct xb_error *err);

/** The error of a fetch that was cancelled: -ECANCELED, fault interrupted. */
int xb_fetch_interrupted(struct xb_error *err);
/** The error `r` of writing to the store, with the hint that a full disk needs; returns `r`. */
int xb_fetch_disk_error(struct xb_error *err, int r);

#endif
