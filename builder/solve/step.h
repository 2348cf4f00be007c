/* SPDX-License-Identifier: Apache-2.0 */
/**
 * One step carried out: key, look-up, work, layer, record. Runs in a worker.
 */
#ifndef XB_BUILDER_SOLVE_STEP_H
#define XB_BUILDER_SOLVE_STEP_H

#include "builder/solve/result.h"
#include "builder/solve/shared.h"

/** The results that a step builds on; NULL: the empty tree. */
struct xb_step_inputs {
	const struct xb_result *parent;
	const struct xb_result *from; /**< of COPY from another step */
};

/**
 * Carry out step `index`. `ret` is empty on entry. Posts started, cached, output and warnings.
 * Errors: fault step for a command that failed, with place, platform, command and last lines of
 * output in the excerpt; -ECANCELED when cancelled; others of the store and the context.
 */
int xb_step_carry_out(struct xb_step_shared *shared, size_t index,
		      const struct xb_step_inputs *inputs, struct xb_result *ret,
		      struct xb_error *err);

#endif
