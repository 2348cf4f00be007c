/* SPDX-License-Identifier: Apache-2.0 */
/** The image that FROM, COPY --from or a mount names, as a step; its platform is looked at. */
#ifndef XB_BUILDER_PLAN_BASE_H
#define XB_BUILDER_PLAN_BASE_H

#include "builder/plan/stage.h"

/** Who names an image, and where. */
struct xb_plan_base {
	struct xb_planner *planner;
	struct xb_stage_state *state;	  /**< whose platform is wanted */
	const struct xb_dockerfile *file; /**< where the instruction stands */
	const struct xb_instruction *instruction;
	const char *name;
	struct xb_location at; /**< of the name */
};

/**
 * Fill in the step that is the tree of an image (not added to the steps).
 *
 * An image of another platform than that of the state is an error, with the option that allows it;
 * where it is allowed, `step->platform` is the image's own and a warning is recorded. An older
 * relative in place of the platform wanted is a warning. Errors: those of the sources, at `at`.
 */
int xb_plan_base_step(const struct xb_plan_base *base, struct xb_step *ret, struct xb_error *err);

#endif
