/* SPDX-License-Identifier: Apache-2.0 */
/** What the command line names and the Dockerfile does not have: misspellings more often than not.
 */
#ifndef XB_BUILDER_PLAN_WARN_H
#define XB_BUILDER_PLAN_WARN_H

#include "builder/plan/names.h"
#include "builder/plan/stage.h"

/** Warn of each --build-arg that no ARG asked for and that means nothing to the builder itself. */
void xb_plan_warn_arguments(struct xb_planner *planner);
/** Warn of each name of --no-cache-filter that is no stage's. */
void xb_plan_warn_stages(struct xb_planner *planner, const struct xb_stage_names *stages);

#endif
