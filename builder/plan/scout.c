/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/scout.h"

#include <string.h>

#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/limits.h"
#include "builder/plan/fetch.h"
#include "builder/plan/names.h"
#include "builder/plan/scope.h"

/* One platform's way through the stages. */
struct scout {
	const struct xb_plan_request *request;
	const struct xb_stage_names *names;
	const struct xb_platform *target;
	struct xb_vars build_args;
	struct xb_vars globals;
	size_t work;
	bool *seen;		       /* by stage */
	struct XB_ARRAY(size_t) queue; /* stages to be looked at */
	struct xb_plan_wants *ret;
};

void xb_plan_wants_clear(struct xb_plan_wants *wants)
{
	for (size_t i = 0; i < wants->len; i++)
		free(wants->items[i].name);
	xb_array_clear(wants);
}

static void scout_clear(struct scout *s)
{
	xb_vars_clear(&s->build_args);
	xb_vars_clear(&s->globals);
	xb_array_clear(&s->queue);
	free(s->seen);
}

static const struct xb_dockerfile *file_of(const struct scout *s)
{
	return s->request->dockerfile;
}

static enum xb_source_kind kind_of(const struct scout *s, const char *name)
{
	return s->request->sources.kind(s->request->sources.context, name);
}

static void want(struct scout *s, const char *text, const struct xb_platform *platform)
{
	xb_autofree char *name = xb_named_for(&s->request->sources, text, platform);
	enum xb_source_kind kind = kind_of(s, name);
	struct xb_plan_want *added;

	if (kind != XB_SOURCE_IMAGE && kind != XB_SOURCE_NAMED)
		return;
	for (size_t i = 0; i < s->ret->len; i++) {
		if (strcmp(s->ret->items[i].name, name) == 0 &&
		    xb_platform_eq(&s->ret->items[i].platform, platform))
			return;
	}
	added = xb_array_push(s->ret);
	*added = (struct xb_plan_want){ .name = XB_STEAL(name), .platform = *platform };
}

/* ---- the global scope ---------------------------------------------------------------------- */

static const char *target_name(const struct scout *s)
{
	const char *name = s->request->target;

	if (name != NULL && *name != '\0')
		return name;
	return file_of(s)->stages[file_of(s)->stage_count - 1].name;
}

static void declare(struct scout *s)
{
	const struct xb_scope_arguments arguments = {
		.file = file_of(s),
		.build_args = &s->build_args,
		.may_shadow = true,
	};

	s->globals.work = &s->work;
	xb_scope_automatic(&s->globals, &s->request->build_platform, s->target, target_name(s),
			   &s->build_args);
	for (size_t i = 0; i < file_of(s)->arg_count; i++) {
		const struct xb_instruction *arg = &file_of(s)->args[i];

		for (size_t k = 0; k < arg->pair_count; k++) {
			xb_autofree char *shown = NULL;

			(void)xb_scope_declare(&arguments, &arg->pairs[k], &s->globals, &shown,
					       NULL);
		}
	}
}

/* ---- stages -------------------------------------------------------------------------------- */

static void visit(struct scout *s, size_t stage)
{
	if (s->seen[stage])
		return;
	s->seen[stage] = true;
	*xb_array_push(&s->queue) = stage;
}

static bool expand(const struct scout *s, const struct xb_word *word, struct xb_str *ret)
{
	return xb_scope_expand(&s->globals, file_of(s), word, ret, NULL) >= 0 && ret->len > 0;
}

/* The platform that the FROM of a stage names, else the target's. */
static struct xb_platform named_platform(const struct scout *s, const struct xb_stage *stage)
{
	const struct xb_flag *flag = xb_instruction_flag(stage->from, "platform");
	struct xb_platform platform = *s->target;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	struct xb_word word;

	if (flag == NULL)
		return platform;
	word = (struct xb_word){ .text = flag->value != NULL ? flag->value : "", .at = flag->at };
	if (!expand(s, &word, &text) ||
	    xb_platform_parse(xb_str_view(&text), &s->request->build_platform, &platform, NULL) < 0)
		return *s->target;
	return platform;
}

/* A stage that stands on another is of its platform. */
static struct xb_platform platform_of(const struct scout *s, size_t stage)
{
	for (;;) {
		const struct xb_stage *ast = &file_of(s)->stages[stage];
		xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);
		size_t parent = XB_STAGE_NONE;

		if (expand(s, &ast->from->words[0], &name))
			parent = xb_stage_names_find(s->names, xb_str_text(&name), stage);
		if (parent == XB_STAGE_NONE)
			return named_platform(s, ast);
		stage = parent;
	}
}

static void look_at_from(struct scout *s, size_t stage, const struct xb_platform *platform)
{
	xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);
	size_t parent;

	if (!expand(s, &file_of(s)->stages[stage].from->words[0], &name) ||
	    strcmp(xb_str_text(&name), "scratch") == 0)
		return;
	parent = xb_stage_names_find(s->names, xb_str_text(&name), stage);
	if (parent != XB_STAGE_NONE)
		visit(s, parent);
	else
		want(s, xb_str_text(&name), platform);
}

/* What a `from` means: a stage, or an image; a number that is no stage is neither. */
static void look_at_origin(struct scout *s, size_t stage, const struct xb_platform *platform,
			   const char *from)
{
	xb_autofree char *name = NULL;
	uint64_t number;
	size_t origin = XB_STAGE_NONE;

	if (from[0] == '\0' || strchr(from, '$') != NULL || strcmp(from, "scratch") == 0)
		return;
	name = xb_named_for(&s->request->sources, from, platform);
	if (kind_of(s, name) == XB_SOURCE_IMAGE) {
		origin = xb_stage_names_origin(s->names, from, stage);
		if (origin == XB_STAGE_NONE &&
		    xb_view_parse_u64(xb_view(from), SIZE_MAX, &number) == 0)
			return;
	}
	if (origin != XB_STAGE_NONE && origin < stage)
		visit(s, origin);
	else if (origin == XB_STAGE_NONE)
		want(s, from, platform);
}

static void look_at_flags(struct scout *s, size_t stage, const struct xb_platform *platform,
			  const struct xb_instruction *instruction)
{
	for (size_t i = 0; i < instruction->flag_count; i++) {
		const struct xb_flag *flag = &instruction->flags[i];
		xb_autofree char *from = NULL;

		if (flag->value == NULL)
			continue;
		if (instruction->kind == XB_INSTRUCTION_COPY && strcmp(flag->name, "from") == 0)
			from = xb_strdup(flag->value);
		else if (instruction->kind == XB_INSTRUCTION_RUN &&
			 strcmp(flag->name, "mount") == 0)
			from = xb_mount_from(flag->value);
		if (from != NULL)
			look_at_origin(s, stage, platform, from);
	}
}

static void look_at_stage(struct scout *s, size_t stage)
{
	const struct xb_stage *ast = &file_of(s)->stages[stage];
	struct xb_platform platform = platform_of(s, stage);
	xb_autofree char *given = NULL;

	if (ast->name != NULL) {
		struct xb_platform own = named_platform(s, ast);

		given = xb_named_for(&s->request->sources, ast->name, &own);
		if (kind_of(s, given) != XB_SOURCE_IMAGE) {
			want(s, ast->name, &own);
			return;
		}
	}
	look_at_from(s, stage, &platform);
	for (size_t i = 0; i < ast->instruction_count; i++)
		look_at_flags(s, stage, &platform, &ast->instructions[i]);
}

/* ---- all ----------------------------------------------------------------------------------- */

static size_t target_stage(const struct scout *s)
{
	const char *name = s->request->target;
	uint64_t number = 0;
	size_t found;

	if (name == NULL || *name == '\0')
		return file_of(s)->stage_count - 1;
	found = xb_stage_names_find(s->names, name, file_of(s)->stage_count);
	if (found == XB_STAGE_NONE &&
	    xb_view_parse_u64(xb_view(name), file_of(s)->stage_count - 1, &number) == 0)
		found = (size_t)number;
	return found;
}

static void scout_one(const struct xb_plan_request *request, const struct xb_stage_names *names,
		      const struct xb_platform *target, struct xb_plan_wants *ret)
{
	size_t stages = request->dockerfile->stage_count;
	XB_CLEANUP(scout_clear)
	struct scout s = {
		.request = request,
		.names = names,
		.target = target,
		.work = XB_MAX_EXPANSION_WORK,
		.seen = xb_calloc(stages + 1, sizeof(bool)),
		.ret = ret,
	};
	size_t first = target_stage(&s);

	if (first == XB_STAGE_NONE)
		return;
	xb_vars_set_all(&s.build_args, request->build_args);
	declare(&s);
	visit(&s, first);
	while (s.queue.len > 0)
		look_at_stage(&s, s.queue.items[--s.queue.len]);
}

void xb_plan_scout(const struct xb_plan_request *request, struct xb_plan_wants *ret)
{
	xb_auto_stage_names struct xb_stage_names names = { 0 };

	if (request->dockerfile->stage_count == 0)
		return;
	xb_stage_names_init(&names, request->dockerfile);
	for (size_t i = 0; i < request->platform_count; i++)
		scout_one(request, &names, &request->platforms[i], ret);
}
