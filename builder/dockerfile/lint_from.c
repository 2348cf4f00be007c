/* SPDX-License-Identifier: Apache-2.0 */
/* The global scope of a check, and what each FROM says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/lint_scopes.h"
#include "builder/dockerfile/location.h"

/* ---- the global scope --------------------------------------------------------------------- */

static void declare(struct xb_scopes *s, const struct xb_instruction *instruction,
		    const struct xb_pair *pair)
{
	xb_auto_scope_word struct xb_scope_word word = { .text = pair->value.text,
							 .at = pair->value.at,
							 .variables = s->globals };
	xb_auto_str struct xb_str value = XB_STR_INIT(XB_MAX_EXPANSION);
	struct xb_view name = xb_view(pair->name.text);
	const char *given = xb_variables_get(s->given, name);

	if (given == NULL && pair->value.text != NULL) {
		(void)xb_scopes_expand(s, &word, &value);
		given = xb_str_text(&value);
	}
	if (given == NULL)
		given = xb_variables_get(s->globals, name);
	if (s->uses != NULL)
		xb_uses_arg(s->uses, XB_NO_STAGE, instruction, pair->name.text, given, &word.used,
			    false);
	xb_variables_set(s->globals, name, given);
}

/* The same as if nothing were given on the command line. Its faults are told once, above. */
static void declare_default(struct xb_scopes *s, const struct xb_pair *pair)
{
	struct xb_expand_env env = { .lookup = xb_variables_lookup,
				     .ctx = s->defaults,
				     .escape = s->linter->file->directives.escape,
				     .work = &s->work };
	xb_auto_str struct xb_str value = XB_STR_INIT(XB_MAX_EXPANSION);
	struct xb_view name = xb_view(pair->name.text);

	if (pair->value.text == NULL) {
		if (!xb_variables_has(s->defaults, name))
			xb_variables_set(s->defaults, name, NULL);
		return;
	}
	if (xb_expand_word(pair->value.text, &env, &value, NULL) == 0)
		xb_variables_set(s->defaults, name, xb_str_text(&value));
}

static void make_globals(struct xb_scopes *s)
{
	const struct xb_lint_request *request = s->linter->request;
	const struct xb_dockerfile *file = s->linter->file;

	xb_variables_set_all(s->given, request->build_args);
	xb_variables_set_all(s->globals, request->automatic);
	xb_variables_set_all(s->defaults, request->automatic);
	for (size_t i = 0; i < file->arg_count && !s->stop; i++) {
		for (size_t p = 0; p < file->args[i].pair_count && !s->stop; p++) {
			declare(s, &file->args[i], &file->args[i].pairs[p]);
			declare_default(s, &file->args[i].pairs[p]);
		}
	}
}

/* ---- FROM --------------------------------------------------------------------------------- */

static void report_undeclared(struct xb_scopes *s, const struct xb_scope_stage *stage,
			      const struct xb_scope_word *word)
{
	for (size_t i = 0; i < word->unset.len; i++) {
		const char *name = word->unset.items[i];
		const char *nearest;

		if (xb_variables_has(s->globals, xb_view(name)))
			continue;
		nearest = xb_variables_nearest(s->globals, xb_view(name), false);
		xb_linter_report(s->linter, XB_RULE_UNDEFINED_ARG_IN_FROM, stage->ast->from,
				 xb_scopes_point(word->text, word->at, name),
				 "FROM argument '%s' is not declared%s%s%s", name,
				 nearest != NULL ? " (did you mean " : "",
				 nearest != NULL ? nearest : "", nearest != NULL ? "?)" : "");
	}
}

/* A base that is made of arguments is to be one also with their defaults. */
static void check_default(struct xb_scopes *s, const struct xb_scope_stage *stage)
{
	const struct xb_lint_world *world = &s->linter->request->world;
	const struct xb_word *word = &stage->ast->from->words[0];
	xb_auto_str struct xb_str name = XB_STR_INIT(XB_MAX_EXPANSION);
	struct xb_expand_env env = { .lookup = xb_variables_lookup,
				     .ctx = s->defaults,
				     .escape = s->linter->file->directives.escape,
				     .work = &s->work };

	if (strchr(word->text, '$') == NULL || xb_expand_word(word->text, &env, &name, NULL) < 0)
		return;
	if (name.len > 0 && (world->is_name == NULL || world->is_name(xb_str_text(&name))))
		return;
	xb_linter_report(s->linter, XB_RULE_INVALID_DEFAULT_ARG_IN_FROM, stage->ast->from, word->at,
			 "Default value for ARG %s results in empty or invalid base image name",
			 word->text);
}

static void fault(struct xb_scopes *s, struct xb_location at, const char *format, const char *text,
		  const struct xb_scope_word *word)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	const char *nearest = NULL;

	(void)xb_location_error(s->linter->file, at, &err, "%s \"%s\"", format, text);
	if (word->unset.len > 0)
		nearest = xb_variables_nearest(s->globals, xb_view(word->unset.items[0]), false);
	if (nearest != NULL)
		(void)xb_error_hint(&err, "did you mean %s?", nearest);
	xb_linter_fault(s->linter, at.line, &err);
}

/* What is written as it is says nothing of the platform asked for, unless the stage's name does. */
static void check_constant(struct xb_scopes *s, const struct xb_scope_stage *stage,
			   const struct xb_scope_word *word, const char *text)
{
	const char *name = stage->ast->name != NULL ? stage->ast->name : "";

	if (word->used.len > 0 || word->unset.len > 0 || strstr(name, stage->platform.os) != NULL ||
	    strstr(name, stage->platform.arch) != NULL)
		return;
	xb_linter_report(s->linter, XB_RULE_FROM_PLATFORM_FLAG_CONST_DISALLOWED, stage->ast->from,
			 word->at, "FROM --platform flag should not use constant value \"%s\"",
			 text);
}

static void check_redundant(struct xb_scopes *s, const struct xb_scope_stage *stage,
			    const struct xb_scope_word *word, const char *text)
{
	const char *target = xb_variables_get(s->globals, XB_VIEW("TARGETPLATFORM"));

	if (word->used.len != 1 || word->unset.len > 0 || target == NULL ||
	    strcmp(word->used.items[0], "TARGETPLATFORM") != 0 || strcmp(text, target) != 0)
		return;
	xb_linter_report(s->linter, XB_RULE_REDUNDANT_TARGET_PLATFORM, stage->ast->from, word->at,
			 "Setting platform to predefined %s in FROM is redundant as this is the "
			 "default behavior",
			 word->text);
}

static void read_platform(struct xb_scopes *s, struct xb_scope_stage *stage, size_t index)
{
	const struct xb_flag *flag = xb_instruction_flag(stage->ast->from, "platform");
	xb_auto_scope_word struct xb_scope_word word = { .variables = s->globals };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_EXPANSION);

	stage->platform = s->linter->request->platform;
	if (flag == NULL || flag->value == NULL)
		return;
	word.text = flag->value;
	word.at = xb_scopes_value(flag);
	if (!xb_scopes_expand(s, &word, &text))
		return;
	report_undeclared(s, stage, &word);
	if (s->uses != NULL)
		xb_uses_from(s->uses, index, &word.used);
	if (text.len == 0)
		fault(s, flag->at, "empty platform value from expression", flag->value, &word);
	else if (xb_platform_parse(xb_str_view(&text), &stage->platform, &stage->platform, NULL) <
		 0)
		fault(s, flag->at, "failed to parse platform", xb_str_text(&text), &word);
	else
		check_constant(s, stage, &word, xb_str_text(&text));
	check_redundant(s, stage, &word, xb_str_text(&text));
}

static void link_parent(struct xb_scopes *s, size_t index, size_t parent)
{
	struct xb_scope_stage *stage = &s->stages[index];

	stage->parent = parent;
	if (parent == XB_NO_STAGE)
		return;
	stage->sibling = s->stages[parent].child;
	s->stages[parent].child = index;
	stage->platform = s->stages[parent].platform;
}

/* The stage before `index` that `name` means, or XB_NO_STAGE. Values of the map are stages. */
static size_t find_stage(const struct xb_scopes *s, const struct xb_map *names, const char *name)
{
	xb_autofree char *lower = xb_strdup(name);
	const struct xb_scope_stage *found;

	for (char *c = lower; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	found = xb_map_get(names, xb_view(lower));
	return found != NULL ? (size_t)(found - s->stages) : XB_NO_STAGE;
}

static void read_base(struct xb_scopes *s, size_t index, const struct xb_map *names)
{
	struct xb_scope_stage *stage = &s->stages[index];
	const struct xb_word *from = &stage->ast->from->words[0];
	xb_auto_scope_word struct xb_scope_word word = { .text = from->text,
							 .at = from->at,
							 .variables = s->globals };
	xb_auto_str struct xb_str name = XB_STR_INIT(XB_MAX_EXPANSION);
	size_t parent;

	check_default(s, stage);
	if (!xb_scopes_expand(s, &word, &name))
		return;
	report_undeclared(s, stage, &word);
	if (s->uses != NULL)
		xb_uses_from(s->uses, index, &word.used);
	if (name.len == 0) {
		fault(s, from->at, "the base image's name is empty:", from->text, &word);
		return;
	}
	parent = find_stage(s, names, xb_str_text(&name));
	if (parent == XB_NO_STAGE)
		stage->base = xb_str_steal(&name);
	link_parent(s, index, parent);
}

static void read_from(struct xb_scopes *s, size_t index, struct xb_map *names)
{
	const struct xb_lint_world *world = &s->linter->request->world;
	struct xb_scope_stage *stage = &s->stages[index];
	const char *name = s->linter->file->stages[index].name;

	*stage = (struct xb_scope_stage){ .ast = &s->linter->file->stages[index],
					  .parent = XB_NO_STAGE,
					  .child = XB_NO_STAGE,
					  .sibling = XB_NO_STAGE };
	stage->given =
		name != NULL && world->is_given != NULL && world->is_given(world->context, name);
	read_platform(s, stage, index);
	read_base(s, index, names);
	if (name != NULL)
		(void)xb_map_set(names, xb_view(name), stage);
}

/* ---- what the target needs ---------------------------------------------------------------- */

static void need(struct xb_scopes *s, const struct xb_map *names, const char *from, size_t before)
{
	uint64_t number;
	size_t index = from != NULL ? find_stage(s, names, from) : XB_NO_STAGE;

	if (from == NULL)
		return;
	if (index == XB_NO_STAGE && xb_view_parse_u64(xb_view(from), SIZE_MAX, &number) == 0)
		index = (size_t)number;
	if (index < before)
		s->stages[index].needed = true;
}

static void need_origins(struct xb_scopes *s, const struct xb_map *names, size_t index,
			 const struct xb_instruction *instruction)
{
	if (instruction->child != NULL)
		instruction = instruction->child;
	for (size_t f = 0; f < instruction->flag_count; f++) {
		const struct xb_flag *flag = &instruction->flags[f];
		xb_autofree char *from = NULL;

		if (strcmp(flag->name, "mount") == 0 && flag->value != NULL)
			from = xb_mount_from(flag->value);
		else if (strcmp(flag->name, "from") == 0)
			from = xb_strdup(flag->value);
		need(s, names, from, index);
	}
}

/* Stages stand only on earlier ones and copy only from such: one pass from the target back. */
static void find_needed(struct xb_scopes *s, const struct xb_map *names)
{
	if (s->target == XB_NO_STAGE)
		return;
	s->stages[s->target].needed = true;
	for (size_t i = s->target + 1; i-- > 0;) {
		const struct xb_scope_stage *stage = &s->stages[i];

		if (!stage->needed)
			continue;
		if (stage->parent != XB_NO_STAGE)
			s->stages[stage->parent].needed = true;
		for (size_t k = 0; k < stage->ast->instruction_count; k++)
			need_origins(s, names, i, &stage->ast->instructions[k]);
	}
}

static void find_target(struct xb_scopes *s, const struct xb_map *names)
{
	const char *target = s->linter->request->target;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	uint64_t number;

	s->target = s->stage_count - 1;
	if (target == NULL || *target == '\0')
		return;
	s->target = find_stage(s, names, target);
	if (s->target != XB_NO_STAGE)
		return;
	if (xb_view_parse_u64(xb_view(target), s->stage_count - 1, &number) == 0) {
		s->target = (size_t)number;
		return;
	}
	(void)xb_error_set(&err, -EINVAL, "%s has no stage called %s", s->linter->file->path,
			   target);
	(void)xb_error_hint(&err, "name a stage of the Dockerfile with --target");
	(void)xb_error_fault(&err, XB_FAULT_SOURCE);
	xb_linter_fault(s->linter, 0, &err);
}

void xb_scopes_from(struct xb_scopes *s)
{
	xb_auto_map struct xb_map *names = xb_map_new();

	make_globals(s);
	s->target = XB_NO_STAGE;
	if (s->stop)
		return;
	for (size_t i = 0; i < s->stage_count; i++)
		read_from(s, i, names);
	if (s->stage_count == 0)
		return;
	find_target(s, names);
	find_needed(s, names);
	for (size_t i = 0; i < s->stage_count; i++)
		s->stages[i].wanted = s->stages[i].needed || s->linter->request->all_stages;
}
