/* SPDX-License-Identifier: Apache-2.0 */
/** Which images a plan will ask for, as far as that can be known before the first is there. */
#ifndef XB_BUILDER_PLAN_SCOUT_H
#define XB_BUILDER_PLAN_SCOUT_H

#include "base/array.h"
#include "builder/plan/plan.h"

/** An image that will be asked for. */
struct xb_plan_want {
	char *name; /**< owned; as the sources will be asked for it */
	struct xb_platform platform;
};

/** Several, each once; starts as `{ 0 }`. */
struct xb_plan_wants XB_ARRAY(struct xb_plan_want);

/** Release. */
void xb_plan_wants_clear(struct xb_plan_wants *wants);
#define xb_auto_plan_wants XB_CLEANUP(xb_plan_wants_clear)

/**
 * Go over the stages that the target of `request` needs, for all its platforms, and append what
 * their FROM, COPY --from and RUN --mount=from= name. What a base's ONBUILD asks for is not known
 * here; what cannot be read is left out, and told by xb_plan_make().
 */
void xb_plan_scout(const struct xb_plan_request *request, struct xb_plan_wants *ret);

#endif
