/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/lint.h"

#include <stdlib.h>
#include <string.h>

#include "builder/dockerfile/linter.h"

static int compare_lines(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

/* Equal places stay in the order of the rules, equal rules in that of their columns. */
static int compare(const void *a, const void *b)
{
	const struct xb_finding *x = a, *y = b;
	int order = compare_lines(x->first_line, y->first_line);

	if (order == 0)
		order = (int)x->rule - (int)y->rule;
	if (order == 0)
		order = compare_lines(x->at.line, y->at.line);
	if (order == 0)
		order = compare_lines(x->at.column, y->at.column);
	return order != 0 ? order : strcmp(x->detail, y->detail);
}

/* ---- the check ---------------------------------------------------------------------------- */

int xb_lint_outline(const struct xb_lint_request *request, struct xb_lint *lint,
		    struct xb_outline *outline, struct xb_error *err)
{
	xb_auto_error struct xb_error problem = XB_ERROR_INIT;
	struct xb_linter linter = { .request = request,
				    .file = request->dockerfile,
				    .lint = lint,
				    .problem = &problem,
				    .problem_line = UINT32_MAX };

	if (lint != NULL)
		xb_linter_syntax(&linter);
	if (!request->dockerfile->part)
		xb_linter_scopes(&linter, outline);
	if (lint != NULL && lint->findings.len > 0)
		qsort(lint->findings.items, lint->findings.len, sizeof(*lint->findings.items),
		      compare);
	if (problem.code == 0)
		return 0;
	if (err == NULL)
		return problem.code;
	xb_error_move(err, &problem);
	return err->code;
}

int xb_lint(const struct xb_lint_request *request, struct xb_lint *ret, struct xb_error *err)
{
	return xb_lint_outline(request, ret, NULL, err);
}
