/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A lock for a step's key, between processes and threads: the same step wanted twice at once runs
 * once. Take it, look for the record again, and only when there is none run the step and record it.
 * The lock goes with the process that holds it, however that ends.
 */
#ifndef XB_BUILDER_CACHE_KEYLOCK_H
#define XB_BUILDER_CACHE_KEYLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "builder/cache/store.h"

/** A lock that is held. */
struct xb_keylock;

/**
 * Lock `key` (any text). When another holds it: with `wait` sleep until it is free (not to be
 * called by the scheduler's thread), else return -EAGAIN.
 */
int xb_keylock_take(struct xb_store *store, const char *key, bool wait, struct xb_keylock **ret,
		    struct xb_error *err);
/**
 * Who holds `key`: the process, and for how many seconds it has. False when nobody does, or it is
 * not known. Somebody else may hold it, or nobody, by the time this returns: for telling people.
 */
bool xb_keylock_holder(struct xb_store *store, const char *key, pid_t *ret_pid,
		       int64_t *ret_seconds);
/** Unlock. Allowed after the store has been closed; NULL is left alone. */
void xb_keylock_free(struct xb_keylock *lock);

XB_DEFINE_CLEANUP(xb_keylock_cleanup, struct xb_keylock, xb_keylock_free)
#define xb_auto_keylock XB_CLEANUP(xb_keylock_cleanup)

#endif
