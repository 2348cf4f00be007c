/* SPDX-License-Identifier: Apache-2.0 */
/** ONBUILD triggers: an instruction that a base image brings along as text. */
#ifndef XB_BUILDER_PLAN_TRIGGER_H
#define XB_BUILDER_PLAN_TRIGGER_H

#include "builder/plan/plan.h"

/**
 * Parse the trigger `text` of the base `name`; what results is `(*ret)->instructions[0]`, and
 * belongs to the plan.
 * Errors: those of parsing; -EINVAL when it is not one instruction, or one that cannot be a
 * trigger; -ENOTSUP. They are placed in the trigger's text, fault source.
 */
int xb_trigger_parse(struct xb_plan *plan, const char *name, const char *text,
		     const struct xb_dockerfile **ret, struct xb_error *err);

#endif
