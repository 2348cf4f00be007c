/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Smoke tests (--smoke): commands that each image has to pass before anything of it is published.
 *
 * A command runs by the image's shell, as its user, in its working directory and environment, in a
 * fresh container whose changes are lost, without network, natively or emulated as steps are.
 */
#ifndef XB_BUILDER_CLI_SMOKE_H
#define XB_BUILDER_CLI_SMOKE_H

#include "builder/cli/request.h"
#include "builder/solve/solve.h"

/**
 * Check the values of --smoke ("CMD", "[PLATFORM,…]CMD") and --smoke-timeout; `request`
 * has been read. Errors: fault usage.
 */
int xb_smoke_check(const struct xb_build_request *request, struct xb_error *err);

/**
 * Run all of them on the results of a build, one after the other; targets that may fail and have no
 * result are left out. The first that fails ends it. `tell`: say on standard error which passed.
 * Errors: fault proof when a command fails or takes too long; interrupted; those of running it.
 */
int xb_smoke_run(const struct xb_build_request *request, const struct xb_results *results,
		 bool tell, struct xb_error *err);

#endif
