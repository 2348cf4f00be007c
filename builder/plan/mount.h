/* SPDX-License-Identifier: Apache-2.0 */
/** The mounts of a RUN: from what its flags say to plain data of a step. */
#ifndef XB_BUILDER_PLAN_MOUNT_H
#define XB_BUILDER_PLAN_MOUNT_H

#include "builder/plan/instruction.h"

/**
 * Read the --mount flags of a RUN into `run`, in the plan's arena. `sources` has an element for
 * each of them, in order: whose files it shows. Errors point at the flag; fault XB_FAULT_SOURCE.
 */
int xb_plan_mounts(struct xb_planner *planner, const struct xb_stage_state *state,
		   const struct xb_instruction *instruction, const struct xb_copy_source *sources,
		   struct xb_step_run *run, struct xb_error *err);

/**
 * Add to an identity or a key all that a mount says, but whether it must be there, and which step
 * its files are from. Secrets and agents count by their ids, never by what they hold.
 */
void xb_step_mount_hash(const struct xb_step_mount *mount, struct xb_hasher *h);

#endif
