/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/linter.h"

/* ---- options of one instruction ----------------------------------------------------------- */

bool xb_linter_is_option(const struct xb_comment *comment, struct xb_view *ret)
{
	struct xb_view value = comment->text, name;

	(void)xb_view_split(&value, '=', &name);
	if (value.data == NULL || !xb_view_eq_nocase(xb_view_trim(name), XB_VIEW("check")))
		return false;
	value = xb_view_trim(value);
	/* behind a blank people may say why */
	if (xb_view_find(value, ' ') >= 0)
		value.len = (size_t)xb_view_find(value, ' ');
	*ret = value;
	return value.len > 0;
}

/* The first comment with options counts, as far as it is understood. */
static struct xb_rule_set options_of(const struct xb_instruction *instruction)
{
	struct xb_rule_set set = { 0 };
	struct xb_view text;

	for (size_t i = 0; i < instruction->comment_count; i++) {
		if (!xb_linter_is_option(&instruction->comments[i], &text))
			continue;
		(void)xb_rule_set_parse(text, &set, NULL, NULL);
		break;
	}
	return set;
}

bool xb_linter_wants(struct xb_linter *linter, enum xb_rule_id rule,
		     const struct xb_instruction *instruction)
{
	if (linter->asked != instruction) {
		struct xb_rule_set own = options_of(instruction);

		linter->asked = instruction;
		linter->asked_rules = linter->request->rules;
		xb_rule_set_merge(&linter->asked_rules, &own);
	}
	return xb_rule_set_has(&linter->asked_rules, rule);
}

/* ---- findings ----------------------------------------------------------------------------- */

void xb_linter_report(struct xb_linter *linter, enum xb_rule_id rule,
		      const struct xb_instruction *instruction, struct xb_location at,
		      const char *format, ...)
{
	struct xb_finding *finding;
	va_list args;

	if (linter->lint == NULL || !xb_linter_wants(linter, rule, instruction))
		return;
	finding = xb_array_push(&linter->lint->findings);
	*finding = (struct xb_finding){ .rule = rule,
					.at = at,
					.first_line = instruction->at.line,
					.last_line = instruction->at.end_line };
	va_start(args, format);
	finding->detail = xb_vformat(format, args);
	va_end(args);
}

void xb_linter_fault(struct xb_linter *linter, uint32_t line, struct xb_error *err)
{
	if (line >= linter->problem_line)
		return;
	linter->problem_line = line;
	if (linter->problem == NULL)
		return;
	xb_error_clear(linter->problem);
	xb_error_move(linter->problem, err);
}
