/* SPDX-License-Identifier: Apache-2.0 */
/**
 * SOURCE_DATE_EPOCH: the time that a reproducible build takes for now.
 *
 * --build-arg gives it, else an ARG of the global scope: seconds since 1970; "context", the time of
 * a build context that is remote; the name of a --build-context that is; or the name of a stage
 * `FROM scratch` whose only instructions are ARG and one ADD of a URL or git repository. What has
 * no time leaves it unset. ARG then gives the number, whatever it was made of.
 * Source: BuildKit, frontend/dockerfile/dockerfile2llb/epoch.go.
 */
#ifndef XB_BUILDER_PLAN_EPOCH_H
#define XB_BUILDER_PLAN_EPOCH_H

#include "builder/plan/stage.h"

/**
 * Find what it comes to and set the plan's `epoch`. `globals` are the arguments of the global
 * scope. Errors: -EINVAL, fault source (of a value that means nothing; of a stage that is other
 * than above); those of the sources' `time`.
 */
int xb_epoch_resolve(struct xb_planner *planner, const struct xb_vars *globals,
		     struct xb_error *err);

/** Put the plan's `epoch` for the value in the build arguments and in `globals`. */
void xb_epoch_apply(struct xb_planner *planner, struct xb_vars *globals);

#endif
