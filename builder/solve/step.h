/* SPDX-License-Identifier: Apache-2.0 */
/**
 * One step carried out: key, look-up, work, layer, record. Runs in a worker, but for the recall of
 * what is known to be done.
 */
#ifndef XB_BUILDER_SOLVE_STEP_H
#define XB_BUILDER_SOLVE_STEP_H

#include "builder/solve/result.h"
#include "builder/solve/shared.h"

/**
 * Carry out step `index`. `inputs` are the results that xb_step_input() names, in its order; NULL:
 * the empty tree. `ret` is empty on entry; `record` gets the record of its top layer, whose blob is
 * empty as long as the layer is not packed: when none of it is wanted, or another step waits for
 * the tree. A record without a key: the step has none (a base image, a fetched thing). Posts
 * started, cached, output and warnings. Errors: fault step for a command that failed, with place,
 * platform, command and last lines of output in the excerpt; -ECANCELED when cancelled; others of
 * the store and the context.
 */
int xb_step_carry_out(struct xb_step_shared *shared, size_t index,
		      const struct xb_result *const *inputs, struct xb_result *ret,
		      struct xb_record *record, struct xb_error *err);

/**
 * Whether step `index` is a command whose key depends on nothing but the plan and its parent, and
 * whose result is in the store: then as xb_step_carry_out() with such a result. Opens and reads no
 * file but the store's database, so that the scheduler itself can ask: handing a step to a worker
 * and back takes longer. False is no error: carrying the step out finds out why.
 */
bool xb_step_recall(struct xb_step_shared *shared, size_t index,
		    const struct xb_result *const *inputs, struct xb_result *ret,
		    struct xb_record *record);

/**
 * Pack the layer of a record that has no blob yet, unless another process has done it meanwhile,
 * and record it.
 */
int xb_step_pack_later(struct xb_step_shared *shared, struct xb_record *record,
		       struct xb_error *err);

#endif
