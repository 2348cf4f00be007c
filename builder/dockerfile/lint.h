/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Build checks: what a Dockerfile does that it had better not.
 *
 * A check is over the tree alone: nothing is read, run or fetched. What it has to know of the world
 * (the platform's arguments, base images, ignore rules) comes with the request. Its time is linear
 * in the Dockerfile, and so is its memory. Findings are in the order of lines. Of a tree that is
 * only part of a text with a fault no more is said than its start is good for.
 *
 * Before an instruction, a comment `# check=skip=NAME,...` (or skip=all) switches rules off for
 * that instruction; what stands behind a blank there is for people.
 * Source: Dockerfile reference of frontend 1.26, "check", and the behaviour that its tests pin.
 */
#ifndef XB_BUILDER_DOCKERFILE_LINT_H
#define XB_BUILDER_DOCKERFILE_LINT_H

#include "base/error.h"
#include "builder/dockerfile/finding.h"
#include "builder/dockerfile/outline.h"

/**
 * Check a Dockerfile; `ret` (zeroed) gets the findings in any case. Errors: what would make a build
 * fail as well, as far as a check sees it (an expansion, a platform, an unknown target): -EINVAL or
 * -EFBIG with the place, fault source; the first of the file where there are several.
 */
int xb_lint(const struct xb_lint_request *request, struct xb_lint *ret, struct xb_error *err);

/**
 * As xb_lint(), and learn what the target can be given (builder/dockerfile/outline.h). Either of
 * `lint` and `outline` may be NULL.
 */
int xb_lint_outline(const struct xb_lint_request *request, struct xb_lint *lint,
		    struct xb_outline *outline, struct xb_error *err);

#endif
