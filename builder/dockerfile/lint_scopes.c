/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/lint_scopes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/location.h"
#include "builder/dockerfile/parse.h"

/* Bytes that all expansions of a file may come to, and triggers that may be carried out: a value
 * may be made of others, a stage's triggers belong to each that stands on it. */
#define MAX_BYTES    ((size_t)64 << 20)
#define MAX_TRIGGERS ((size_t)100000)

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- words -------------------------------------------------------------------------------- */

void xb_scope_word_clear(struct xb_scope_word *word)
{
	xb_strv_clear(&word->used);
	xb_strv_clear(&word->unset);
}

void xb_scopes_fault(struct xb_scopes *s, struct xb_location at, struct xb_error *err)
{
	if (s->mute)
		at = s->subject->at;
	(void)xb_location_wrap(s->linter->file, at, err);
	xb_linter_fault(s->linter, at.line, err);
}

static bool stop(struct xb_scopes *s, struct xb_location at, const char *what)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	s->stop = true;
	(void)xb_error_set(&err, -EINVAL, "%s", what);
	xb_scopes_fault(s, at, &err);
	return false;
}

bool xb_scopes_expand(struct xb_scopes *s, struct xb_scope_word *word, struct xb_str *out)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_expand_env env = {
		.lookup = xb_variables_lookup,
		.ctx = word->variables,
		.escape = word->document ? '\\' : s->linter->file->directives.escape,
		.keep_quotes = word->document,
		.used = &word->used,
		.unset = &word->unset,
		.work = &s->work,
	};
	size_t before = out->len;
	int r = xb_expand_word(word->text, &env, out, &err);

	s->bytes += out->len - before;
	if (r < 0) {
		xb_str_truncate(out, before);
		xb_scopes_fault(s, word->at, &err);
		return false;
	}
	if (s->bytes > MAX_BYTES)
		return stop(s, word->at, "the values of all variables together are too large");
	return true;
}

/* Whether `text` has at `pos` the variable `name`, as $name or ${name. */
static bool is_variable(const char *text, const char *name)
{
	size_t len = strlen(name);

	text++;
	if (*text == '{')
		text++;
	return strncmp(text, name, len) == 0;
}

struct xb_location xb_scopes_point(const char *text, struct xb_location at, const char *name)
{
	/* In a word of several lines a byte's place is not known any more. */
	if (at.end_line != at.line)
		return at;
	for (const char *c = strchr(text, '$'); c != NULL; c = strchr(c + 1, '$')) {
		if (!is_variable(c, name))
			continue;
		at.column += (uint32_t)(c - text);
		break;
	}
	return at;
}

struct xb_location xb_scopes_value(const struct xb_flag *flag)
{
	struct xb_location at = flag->at;

	if (at.end_line == at.line)
		at.column += (uint32_t)strlen(flag->name) + 3; /* "--" and "=" */
	return at;
}

/* ---- bases -------------------------------------------------------------------------------- */

static void trigger(struct xb_scopes *s, const struct xb_instruction *instruction)
{
	if (++s->extra > MAX_TRIGGERS)
		(void)stop(s, s->subject->at, "the ONBUILD triggers are too many");
	else
		xb_scopes_apply(s, instruction);
}

/* The triggers of an image are somebody else's: what they define counts, what they do does not. */
static void image_triggers(struct xb_scopes *s, const struct xb_strv *texts)
{
	s->mute = true;
	for (size_t i = 0; texts != NULL && i < texts->len && !s->stop; i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		xb_auto_dockerfile struct xb_dockerfile *file = NULL;

		if (xb_dockerfile_parse_syntax(xb_view(texts->items[i]), "ONBUILD", &file, &err) <
			    0 ||
		    file->instruction_count != 1)
			continue;
		trigger(s, &file->instructions[0]);
	}
	s->mute = false;
}

static void stage_triggers(struct xb_scopes *s, const struct xb_stage *parent)
{
	for (size_t i = 0; i < parent->instruction_count && !s->stop; i++)
		if (parent->instructions[i].child != NULL)
			trigger(s, parent->instructions[i].child);
}

/* The base's platform is that of the stage, or the image is not what it is taken for. */
static void check_platform(struct xb_scopes *s, const struct xb_scope_stage *stage,
			   const struct xb_platform *actual)
{
	xb_auto_str struct xb_str expected_text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str actual_text = XB_STR_INIT(XB_STR_OWN);

	if (actual == NULL || (strcmp(stage->platform.os, actual->os) == 0 &&
			       strcmp(stage->platform.arch, actual->arch) == 0))
		return;
	(void)xb_platform_format_all(&stage->platform, &expected_text);
	(void)xb_platform_format_all(actual, &actual_text);
	xb_linter_report(s->linter, XB_RULE_INVALID_BASE_IMAGE_PLATFORM, stage->ast->from,
			 stage->ast->from->words[0].at,
			 "Base image %s was pulled with platform \"%s\", expected \"%s\" for "
			 "current build",
			 stage->base, xb_str_text(&actual_text), xb_str_text(&expected_text));
}

static void default_path(struct xb_scopes *s, const struct xb_scope_stage *stage)
{
	if (strcmp(stage->platform.os, "windows") != 0 &&
	    !xb_variables_has(s->scope, XB_VIEW("PATH")))
		xb_variables_set(s->scope, XB_VIEW("PATH"), DEFAULT_PATH);
}

static void enter_image(struct xb_scopes *s, struct xb_scope_stage *stage)
{
	const struct xb_lint_world *world = &s->linter->request->world;
	struct xb_lint_image image = { 0 };
	bool known = stage->base == NULL || strcmp(stage->base, "scratch") == 0;

	if (!known && world->image != NULL)
		known = world->image(world->context, stage->base, &stage->platform, &image);
	if (!known && s->linter->lint != NULL &&
	    !(world->is_given != NULL && world->is_given(world->context, stage->base)) &&
	    xb_strv_find(&s->linter->lint->images, stage->base) < 0)
		xb_strv_push(&s->linter->lint->images, stage->base);
	check_platform(s, stage, image.platform);
	xb_variables_set_all(s->scope, image.env);
	default_path(s, stage);
	stage->shell = image.shell;
	image_triggers(s, image.on_build);
}

static void enter(struct xb_scopes *s, size_t index)
{
	struct xb_scope_stage *stage = &s->stages[index];
	const struct xb_stage *ast = stage->ast;

	s->stage = index;
	s->subject = ast->from;
	stage->mark = xb_variables_mark(s->scope);
	if (stage->given)
		return;
	if (stage->parent == XB_NO_STAGE) {
		enter_image(s, stage);
	} else {
		stage->shell = s->stages[stage->parent].shell;
		stage->directory = s->stages[stage->parent].directory;
		if (!s->stages[stage->parent].given)
			stage_triggers(s, s->stages[stage->parent].ast);
	}
	for (size_t i = 0; i < ast->instruction_count && !s->stop; i++) {
		s->subject = &ast->instructions[i];
		xb_scopes_apply(s, s->subject);
	}
}

/* ---- the walk ----------------------------------------------------------------------------- */

static size_t wanted(const struct xb_scopes *s, size_t index)
{
	while (index != XB_NO_STAGE && !s->stages[index].wanted)
		index = s->stages[index].sibling;
	return index;
}

/*
 * The stages that stand on `root`, each behind what it stands on: so every variable is set once,
 * and what a stage set is taken back when all that stand on it are done.
 */
static void walk(struct xb_scopes *s, size_t root)
{
	size_t at = root;

	enter(s, at);
	while (at != XB_NO_STAGE && !s->stop) {
		size_t next = wanted(s, s->stages[at].child);

		while (next == XB_NO_STAGE) {
			xb_variables_undo(s->scope, s->stages[at].mark);
			if (at == root)
				return;
			next = wanted(s, s->stages[at].sibling);
			at = s->stages[at].parent;
		}
		at = next;
		enter(s, at);
	}
}

static void clear(struct xb_scopes *s)
{
	for (size_t i = 0; i < s->stage_count; i++)
		free(s->stages[i].base);
	free(s->stages);
	xb_variables_free(s->defaults);
	xb_variables_free(s->globals);
	xb_variables_free(s->given);
	xb_variables_free(s->scope);
	xb_uses_free(s->uses);
}

static void make_outline(const struct xb_scopes *s, struct xb_outline *ret)
{
	xb_autofree bool *needed = xb_calloc(s->target + 1, sizeof(*needed));

	for (size_t i = 0; i <= s->target; i++)
		needed[i] = s->stages[i].needed;
	xb_uses_outline(s->uses, s->stages[s->target].ast, s->target, needed, ret);
}

void xb_linter_scopes(struct xb_linter *linter, struct xb_outline *outline)
{
	size_t count = linter->file->stage_count;
	XB_CLEANUP(clear)
	struct xb_scopes s = {
		.work = XB_MAX_EXPANSION_WORK,
		.linter = linter,
		.defaults = xb_variables_new(),
		.globals = xb_variables_new(),
		.given = xb_variables_new(),
		.scope = xb_variables_new(),
		.stages = xb_calloc(count, sizeof(*s.stages)),
		.stage_count = count,
		.uses = outline != NULL ? xb_uses_new(count) : NULL,
	};

	xb_scopes_from(&s);
	for (size_t i = 0; i < count && !s.stop; i++)
		if (s.stages[i].wanted && s.stages[i].parent == XB_NO_STAGE)
			walk(&s, i);
	if (outline != NULL && s.target != XB_NO_STAGE)
		make_outline(&s, outline);
}
