/* SPDX-License-Identifier: Apache-2.0 */
/** What a leg leaves of a build that is done (manifest/leg.h). */
#ifndef XB_BUILDER_CLI_LEG_RESULT_H
#define XB_BUILDER_CLI_LEG_RESULT_H

#include "builder/cli/request.h"
#include "builder/solve/assemble.h"

/**
 * The result of an earlier leg goes before a build begins: one that fails leaves none. Nothing is
 * done where the build is no leg, or leaves nothing. Errors: those of removing, fault usage.
 */
int xb_leg_begin(const struct xb_build_request *request, struct xb_error *err);
/** Whether a build leaves a result when it is done. */
bool xb_leg_leaves(const struct xb_build_request *request);
/**
 * Append the text of the result: the images of the first output that has them, and all outputs that
 * have these very ones. `images` are those of the outputs of `request`, NULL where one has none.
 * Errors: those of xb_leg_write().
 */
int xb_leg_describe(const struct xb_build_request *request,
		    const struct xb_assembled *const *images, struct xb_str *text,
		    struct xb_error *err);

#endif
