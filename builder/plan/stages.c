/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/stages.h"

#include <errno.h>
#include <string.h>

#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/location.h"
#include "builder/plan/scope.h"
#include "manifest/reference.h"

static const struct xb_dockerfile *file_of(const struct xb_stages *s)
{
	return s->request->dockerfile;
}

static int check_platform(const struct xb_stages *s, const struct xb_stage *stage,
			  struct xb_error *err)
{
	const struct xb_flag *flag = xb_instruction_flag(stage->from, "platform");
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	struct xb_platform platform;
	struct xb_word word;
	int r;

	if (flag == NULL)
		return 0;
	word = (struct xb_word){ .text = flag->value != NULL ? flag->value : "", .at = flag->at };
	r = xb_scope_expand(s->globals, file_of(s), &word, &text, err);
	if (r < 0)
		return r;
	if (xb_platform_parse(xb_str_view(&text), &s->request->build_platform, &platform, err) < 0)
		return xb_location_wrap(file_of(s), flag->at, err);
	return 0;
}

static bool is_given(const struct xb_stages *s, const char *name)
{
	const struct xb_plan_sources *sources = &s->request->sources;

	return name != NULL && sources->kind(sources->context, name) != XB_SOURCE_IMAGE;
}

static int check_from(const struct xb_stages *s, size_t index, struct xb_error *err)
{
	const struct xb_stage *stage = &file_of(s)->stages[index];
	const struct xb_word *word = &stage->from->words[0];
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	int r = xb_scope_expand(s->globals, file_of(s), word, &text, err);

	if (r == 0 && text.len == 0)
		r = xb_location_error(file_of(s), word->at, err,
				      "the base image's name is empty after expansion");
	if (r == 0)
		r = check_platform(s, stage, err);
	if (r < 0)
		return r;
	if (strcmp(xb_str_text(&text), "scratch") == 0 || is_given(s, stage->name) ||
	    is_given(s, xb_str_text(&text)) ||
	    xb_stage_names_find(s->names, xb_str_text(&text), index) != XB_STAGE_NONE)
		return 0;
	if (xb_reference_parse(xb_str_view(&text), &ref, err) < 0)
		return xb_location_wrap(file_of(s), word->at, err);
	return 0;
}

static int check_number(const struct xb_stages *s, const struct xb_flag *flag, struct xb_error *err)
{
	uint64_t number = 0;

	if (xb_view_parse_u64(xb_view(flag->value), SIZE_MAX, &number) == -EINVAL ||
	    number < file_of(s)->stage_count || is_given(s, flag->value))
		return 0;
	return xb_location_error(file_of(s), flag->at, err, "there is no stage number %s",
				 flag->value);
}

static int check_copy(const struct xb_stages *s, const struct xb_instruction *copy,
		      struct xb_error *err)
{
	static const struct xb_vars none;
	const struct xb_flag *flag = xb_instruction_flag(copy, "from");
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	struct xb_word word;
	int r;

	if (flag == NULL || flag->value == NULL)
		return 0;
	word = (struct xb_word){ .text = flag->value, .at = flag->at };
	r = xb_scope_expand(&none, file_of(s), &word, &text, NULL);
	if (r >= 0 && strcmp(xb_str_text(&text), flag->value) == 0)
		return check_number(s, flag, err);
	(void)xb_location_error(file_of(s), flag->at, err,
				"variable expansion is not supported for --from");
	(void)xb_error_hint(err, "give a stage of its own a FROM with the variable, and its name "
				 "to --from");
	return -EINVAL;
}

static int check_stage(const struct xb_stages *s, size_t index, struct xb_error *err)
{
	const struct xb_stage *stage = &file_of(s)->stages[index];
	int r = check_from(s, index, err);

	for (size_t i = 0; r == 0 && i < stage->instruction_count; i++) {
		if (stage->instructions[i].kind == XB_INSTRUCTION_COPY)
			r = check_copy(s, &stage->instructions[i], err);
	}
	return r;
}

int xb_stages_check(const struct xb_stages *stages, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < file_of(stages)->stage_count; i++)
		r = check_stage(stages, i, err);
	return r;
}
