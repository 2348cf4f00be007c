/* SPDX-License-Identifier: Apache-2.0 */
/** Planning: from a tree and platforms to a plan. */
#ifndef XB_BUILDER_PLAN_MAKE_H
#define XB_BUILDER_PLAN_MAKE_H

#include "builder/plan/plan.h"

/**
 * Plan a build.
 *
 * Errors carry file, line and caret. XB_FAULT_SOURCE: the Dockerfile; XB_FAULT_PLATFORM: a step
 * that has to run cannot, natively or emulated, with the reason; those of `sources` as they are.
 */
int xb_plan_make(const struct xb_plan_request *request, struct xb_plan **ret, struct xb_error *err);

#endif
