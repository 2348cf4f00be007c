/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What holds of every stage of a Dockerfile, also of those that nothing needs, as BuildKit has it:
 * nobody finds out by another target that a FROM never could have worked.
 */
#ifndef XB_BUILDER_PLAN_STAGES_H
#define XB_BUILDER_PLAN_STAGES_H

#include "builder/plan/names.h"
#include "builder/plan/plan.h"
#include "builder/plan/vars.h"

/** What is looked at; all is borrowed. */
struct xb_stages {
	const struct xb_plan_request *request;
	const struct xb_stage_names *names;
	const struct xb_vars *globals; /**< the global scope, for one platform */
};

/**
 * Check each FROM (its name and platform expand to something that can be one) and each --from of a
 * COPY (no variables; a number is that of a stage). Whether images exist is not asked.
 * Errors: -EINVAL and those of expansion, at the word or flag.
 */
int xb_stages_check(const struct xb_stages *stages, struct xb_error *err);

#endif
