/* SPDX-License-Identifier: Apache-2.0 */
/** Which of a build's bases are there for which platforms: told when one is not. */
#ifndef XB_BUILDER_CLI_GAPS_H
#define XB_BUILDER_CLI_GAPS_H

#include "builder/plan/plan.h"
#include "builder/plan/scout.h"

/**
 * Add to the error of a plan that failed, where that was for want of an image for a platform, all
 * bases (FROM, COPY --from, mounts: `wants`, of xb_plan_scout()) with the platforms that they are
 * wanted for, and the platforms of `request` for which nothing is wanting. Other errors are left
 * alone. Asks the sources for nothing but manifests.
 */
void xb_gaps_explain(const struct xb_plan_request *request, const struct xb_plan_wants *wants,
		     struct xb_error *err);

#endif
