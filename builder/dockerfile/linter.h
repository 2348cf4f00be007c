/* SPDX-License-Identifier: Apache-2.0 */
/** The inside of a check: what the files that hold rules share. For the modules of this directory.
 */
#ifndef XB_BUILDER_DOCKERFILE_LINTER_H
#define XB_BUILDER_DOCKERFILE_LINTER_H

#include "base/error.h"
#include "builder/dockerfile/finding.h"
#include "builder/dockerfile/outline.h"

/** A check on its way. */
struct xb_linter {
	const struct xb_lint_request *request;
	const struct xb_dockerfile *file;
	struct xb_lint *lint;	  /**< gets the findings; NULL: nobody wants them */
	struct xb_error *problem; /**< the first fault of the file, this far; may be NULL */
	uint32_t problem_line;	  /**< where it is; UINT32_MAX: none yet */
	const struct xb_instruction *asked; /**< `asked_rules` are for it */
	struct xb_rule_set asked_rules;
};

/** Whether a rule counts for an instruction: the file's options and the comments above it. */
bool xb_linter_wants(struct xb_linter *linter, enum xb_rule_id rule,
		     const struct xb_instruction *instruction);

/**
 * Report what an instruction does, if the rule counts for it; `at` is where to point. The detail is
 * composed only then.
 */
void xb_linter_report(struct xb_linter *linter, enum xb_rule_id rule,
		      const struct xb_instruction *instruction, struct xb_location at,
		      const char *format, ...) __attribute__((format(printf, 5, 6)));

/** Take the error of something at line `line`; of several the first of the file is kept. */
void xb_linter_fault(struct xb_linter *linter, uint32_t line, struct xb_error *err);

/** The rules that need no more than the tree. */
void xb_linter_syntax(struct xb_linter *linter);
/** The rules that need the values of variables; `outline` may be NULL. */
void xb_linter_scopes(struct xb_linter *linter, struct xb_outline *outline);

/** Whether a comment is `check=...`, for the check and not for people; `*ret` gets the options. */
bool xb_linter_is_option(const struct xb_comment *comment, struct xb_view *ret);

#endif
