/* SPDX-License-Identifier: Apache-2.0 */
/** Locks of steps' keys, taken by workers: a build that is cancelled does not wait for them. */
#ifndef XB_BUILDER_SOLVE_LOCK_H
#define XB_BUILDER_SOLVE_LOCK_H

#include "builder/cache/keylock.h"
#include "builder/solve/shared.h"

/** -ECANCELED, fault interrupted, once the build is cancelled; else 0. */
int xb_step_cancelled(const struct xb_step_shared *shared, struct xb_error *err);
/**
 * Lock `key`, waiting for whoever has it, unless the build is cancelled meanwhile. `index` is that
 * of the step that waits, of which XB_EVENT_WAITING is told; XB_STEP_NONE: nobody is told.
 */
int xb_step_lock(struct xb_step_shared *shared, size_t index, const char *key,
		 struct xb_keylock **ret, struct xb_error *err);

#endif
