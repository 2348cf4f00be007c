/* SPDX-License-Identifier: Apache-2.0 */
/** Fetch steps. */
#ifndef XB_BUILDER_SOLVE_FETCH_H
#define XB_BUILDER_SOLVE_FETCH_H

#include "builder/solve/result.h"
#include "builder/solve/shared.h"

/** Carry out a fetch step: `ret` (empty) becomes the tree. */
int xb_step_fetch(struct xb_step_shared *shared, size_t index, struct xb_result *ret,
		  struct xb_error *err);

#endif
