/* SPDX-License-Identifier: Apache-2.0 */
/** One instruction applied to a stage: what it changes in the config, and the step it asks for. */
#ifndef XB_BUILDER_PLAN_INSTRUCTION_H
#define XB_BUILDER_PLAN_INSTRUCTION_H

#include "builder/plan/stage.h"

/**
 * Apply `instruction` (not FROM) of `file` to `state`. `source` is one for COPY and ADD, and one
 * for each --mount of RUN, in order.
 * Errors point at the instruction or one of its words; fault XB_FAULT_SOURCE, or XB_FAULT_PLATFORM
 * for a RUN that can run neither natively nor emulated.
 */
int xb_instruction_apply(struct xb_planner *planner, struct xb_stage_state *state,
			 const struct xb_dockerfile *file, const struct xb_instruction *instruction,
			 const struct xb_copy_source *source, struct xb_error *err);

#endif
