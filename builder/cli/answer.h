/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The answers of `--call` on standard output: JSON with the members that docker buildx gives, and
 * tables for people.
 *
 * Places are {"ranges": [{"start": {"line": N}, "end": {"line": N}}]}, sources are in base64.
 * Source: BuildKit's subrequests lint, outline and targets, version 1.0.0.
 */
#ifndef XB_BUILDER_CLI_ANSWER_H
#define XB_BUILDER_CLI_ANSWER_H

#include "builder/cli/check.h"

/** The findings of a check, and what would make the build fail (its code is 0: nothing). */
void xb_answer_check(const struct xb_build_request *request, const struct xb_check *check,
		     const struct xb_error *fault);
/** The outline as JSON. */
void xb_answer_outline(const struct xb_build_request *request, const struct xb_outline *outline);
/** The stages of a Dockerfile as JSON. */
void xb_answer_targets(const struct xb_dockerfile *dockerfile);

/** The outline as tables. */
void xb_answer_print_outline(const struct xb_outline *outline);
/** The stages as a table. */
void xb_answer_print_targets(const struct xb_dockerfile *dockerfile);

#endif
