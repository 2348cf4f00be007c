/* SPDX-License-Identifier: Apache-2.0 */
/** The mounts of a RUN: from what its flags say to plain data of a step. */
#ifndef XB_BUILDER_PLAN_MOUNT_H
#define XB_BUILDER_PLAN_MOUNT_H

#include "builder/plan/stage.h"

/**
 * Read the --mount flags of a RUN of `file` into `run`, in the plan's arena. `sources` has an
 * element for each of them, in order: whose files it shows. Errors point at the flag; fault
 * XB_FAULT_SOURCE.
 */
int xb_plan_mounts(struct xb_planner *planner, const struct xb_stage_state *state,
		   const struct xb_dockerfile *file, const struct xb_instruction *instruction,
		   const struct xb_copy_source *sources, struct xb_step_run *run,
		   struct xb_error *err);

#endif
