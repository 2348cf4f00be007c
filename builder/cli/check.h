/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The checks of a build's Dockerfile: run with what the command line, the context and the store
 * tell, and shown.
 */
#ifndef XB_BUILDER_CLI_CHECK_H
#define XB_BUILDER_CLI_CHECK_H

#include <stdio.h>

#include "builder/cli/progress.h"
#include "builder/cli/request.h"
#include "builder/dockerfile/lint.h"
#include "builder/dockerfile/outline.h"

/** What a check found; starts as `{ 0 }`. */
struct xb_check {
	struct xb_rule_set rules;
	struct xb_strv unknown; /**< names in its options that no rule has */
	struct xb_lint lint;
	struct xb_error fault; /**< what would make the build fail too, see xb_lint() */
};

/** Release. */
void xb_check_clear(struct xb_check *check);
#define xb_auto_check XB_CLEANUP(xb_check_clear)

/**
 * Check `request->dockerfile` as the first platform has it; its context and sources may be NULL.
 * `all_stages`: also those that the target does not need, where none is named. `outline`, where it
 * is not NULL, gets what the target can be given. Errors: those of the options alone, fault source.
 */
int xb_check_run(const struct xb_build_request *request, bool all_stages, struct xb_check *ret,
		 struct xb_outline *outline, struct xb_error *err);

/** Append a finding as people read it: rule, detail, line, page, place and caret. `prefix` stands
 * in front of its first line. */
void xb_check_show(const struct xb_dockerfile *dockerfile, const struct xb_findings *findings,
		   const char *prefix, FILE *out);

/**
 * Show on standard error what a build is warned of: findings, and what its plan (which may be NULL)
 * says. Quiet leaves findings out; rawjson makes each an event.
 */
void xb_check_report(const struct xb_build_request *request, const struct xb_check *check,
		     enum xb_progress_mode mode);

/** The error of `# check=error=true` where there are findings, else 0. Fault source. */
int xb_check_verdict(const struct xb_check *check, struct xb_error *err);

#endif
