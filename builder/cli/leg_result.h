/* SPDX-License-Identifier: Apache-2.0 */
/** What a leg leaves of a build that is done (manifest/leg.h). */
#ifndef XB_BUILDER_CLI_LEG_RESULT_H
#define XB_BUILDER_CLI_LEG_RESULT_H

#include "builder/cli/request.h"
#include "builder/solve/assemble.h"

/**
 * Append the text of the result: the images of the first output that has them, and all outputs that
 * have these very ones. `images` are those of the outputs of `request`, NULL where one has none.
 * Errors: those of xb_leg_write().
 */
int xb_leg_describe(const struct xb_build_request *request,
		    const struct xb_assembled *const *images, struct xb_str *text,
		    struct xb_error *err);

#endif
