/* SPDX-License-Identifier: Apache-2.0 */
/**
 * One step carried out: key, look-up, work, layer, record. Runs in a worker.
 */
#ifndef XB_BUILDER_SOLVE_STEP_H
#define XB_BUILDER_SOLVE_STEP_H

#include "builder/solve/result.h"
#include "builder/solve/shared.h"

/**
 * Carry out step `index`. `inputs` are the results that xb_step_input() names, in its order; NULL:
 * the empty tree. `ret` is empty on entry. Posts started, cached, output and warnings.
 * Errors: fault step for a command that failed, with place, platform, command and last lines of
 * output in the excerpt; -ECANCELED when cancelled; others of the store and the context.
 */
int xb_step_carry_out(struct xb_step_shared *shared, size_t index,
		      const struct xb_result *const *inputs, struct xb_result *ret,
		      struct xb_error *err);

#endif
