/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/instruction.h"

#include <errno.h>
#include <string.h>

#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/location.h"
#include "builder/dockerfile/text.h"
#include "builder/dockerfile/values.h"
#include "builder/plan/apply.h"
#include "builder/plan/history.h"
#include "builder/plan/path.h"

/*
 * Stages that several platforms want are planned for each. So many instructions are some seconds'
 * work and a few GB, and more than the largest Dockerfile has for one platform.
 */
#define MAX_INSTRUCTIONS ((size_t)8 << 20)

static void record(const struct xb_plan_apply *a, char *created_by)
{
	xb_stage_record(a->planner, a->state, created_by, XB_STEP_NONE);
}

int xb_plan_apply_expand(const struct xb_plan_apply *a, const struct xb_word *word,
			 struct xb_str *ret, struct xb_error *err)
{
	return xb_scope_expand(&a->state->vars, a->file, word, ret, err);
}

int xb_plan_apply_expand_flag(const struct xb_plan_apply *a, const char *name, struct xb_str *ret,
			      struct xb_error *err)
{
	const struct xb_flag *flag = xb_instruction_flag(a->instruction, name);
	struct xb_word word;
	int r;

	if (flag == NULL || flag->value == NULL)
		return 0;
	word = (struct xb_word){ .text = flag->value, .at = flag->at };
	r = xb_plan_apply_expand(a, &word, ret, err);
	return r < 0 ? r : 1;
}

static void words_to_strv(const struct xb_instruction *instruction, size_t from,
			  struct xb_strv *ret)
{
	for (size_t i = from; i < instruction->word_count; i++)
		xb_strv_push(ret, instruction->words[i].text);
}

static void default_shell(const struct xb_plan_apply *a, struct xb_strv *ret)
{
	static const char *const unix_shell[] = { "/bin/sh", "-c", NULL };
	static const char *const windows_shell[] = { "cmd", "/S", "/C", NULL };
	bool windows = strcmp(a->state->platform.os, "windows") == 0;

	for (const char *const *word = windows ? windows_shell : unix_shell; *word != NULL; word++)
		xb_strv_push(ret, *word);
}

void xb_plan_apply_shell(const struct xb_plan_apply *a, struct xb_strv *ret)
{
	if (a->state->config.shell.len > 0)
		xb_strv_append(ret, &a->state->config.shell);
	else
		default_shell(a, ret);
}

int xb_plan_apply_count(const struct xb_plan_apply *a, size_t bytes, struct xb_error *err)
{
	return xb_stage_count(a->planner, a->file, a->instruction, bytes, err);
}

int xb_plan_apply_check_name(const struct xb_plan_apply *a, const struct xb_heredoc *heredoc,
			     struct xb_error *err)
{
	const char *name = heredoc->name;

	if (*name != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
	    strcmp(name, "..") != 0)
		return 0;
	return xb_location_error(a->file, heredoc->at, err,
				 "\"%s\" cannot be the name of the here-document's file", name);
}

/* ---- variables ---------------------------------------------------------------------------- */

/* One after the other: each pair sees what those before it set. */
static int apply_arg(const struct xb_plan_apply *a, struct xb_error *err)
{
	struct xb_stage_state *state = a->state;
	xb_auto_strv struct xb_strv shown = XB_STRV_INIT;
	const struct xb_scope_arguments arguments = {
		.file = a->file,
		.build_args = &a->planner->build_args,
		.globals = state->globals,
		.may_shadow = a->planner->request->allow.shadowed_arg,
	};

	for (size_t i = 0; i < a->instruction->pair_count; i++) {
		const struct xb_pair *pair = &a->instruction->pairs[i];
		char *text = NULL;
		int r = xb_scope_declare(&arguments, pair, &state->vars, &text, err);

		if (r < 0)
			return r;
		xb_strv_take(&shown, text);
		xb_vars_set(&state->declared, xb_view(pair->name.text), XB_VIEW(""));
		(void)xb_map_set(a->planner->consumed, xb_view(pair->name.text), a->planner);
	}
	state->run_env = NULL;
	record(a, xb_history_words("ARG", &shown));
	return 0;
}

/* Expand the pairs of ENV and LABEL, all as the variables are before the instruction. */
static int expand_pairs(const struct xb_plan_apply *a, struct xb_annotations *ret,
			struct xb_strv *shown, struct xb_error *err)
{
	for (size_t i = 0; i < a->instruction->pair_count; i++) {
		const struct xb_pair *pair = &a->instruction->pairs[i];
		xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);
		xb_auto_str struct xb_str value = XB_STR_INIT(XB_STR_OWN);
		struct xb_annotation *expanded;
		int r = xb_plan_apply_expand(a, &pair->name, &name, err);

		if (r == 0)
			r = xb_plan_apply_expand(a, &pair->value, &value, err);
		if (r < 0)
			return r;
		if (name.len == 0)
			return xb_location_error(a->file, pair->name.at, err,
						 "a name must not be empty");
		xb_strv_printf(shown, "%s=%s", xb_str_text(&name), xb_str_text(&value));
		expanded = xb_array_push(ret);
		expanded->name = xb_str_steal(&name);
		expanded->value = xb_str_steal(&value);
	}
	return 0;
}

static void set_env(struct xb_stage_state *state, const struct xb_annotation *pair)
{
	xb_stage_set_env(state, xb_view(pair->name), xb_view(pair->value));
}

static void set_label(struct xb_stage_state *state, const struct xb_annotation *pair)
{
	xb_stage_set_label(state, pair->name, pair->value);
}

static int apply_pairs(const struct xb_plan_apply *a, const char *instruction,
		       void (*set)(struct xb_stage_state *, const struct xb_annotation *),
		       struct xb_error *err)
{
	xb_auto_annotations struct xb_annotations pairs = { 0 };
	xb_auto_strv struct xb_strv shown = XB_STRV_INIT;
	int r = expand_pairs(a, &pairs, &shown, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < pairs.len; i++)
		set(a->state, &pairs.items[i]);
	record(a, xb_history_words(instruction, &shown));
	return 0;
}

static int apply_env(const struct xb_plan_apply *a, struct xb_error *err)
{
	return apply_pairs(a, "ENV", set_env, err);
}

static int apply_label(const struct xb_plan_apply *a, struct xb_error *err)
{
	return apply_pairs(a, "LABEL", set_label, err);
}

/* ---- config ------------------------------------------------------------------------------- */

static int apply_command(const struct xb_plan_apply *a, struct xb_error *err)
{
	struct xb_image_config *config = &a->state->config;
	xb_auto_strv struct xb_strv argv = XB_STRV_INIT;

	(void)err;
	if (!a->instruction->json)
		xb_plan_apply_shell(a, &argv);
	words_to_strv(a->instruction, 0, &argv);
	/* the shell form without a command is the empty command */
	if (!a->instruction->json && a->instruction->word_count == 0)
		xb_strv_push(&argv, "");
	if (a->instruction->kind == XB_INSTRUCTION_CMD) {
		xb_strv_copy(&config->cmd, &argv);
		config->has_cmd = true;
		config->args_escaped = true;
		a->state->own_cmd = true;
		record(a, xb_history_quoted("CMD", &argv));
		return 0;
	}
	/* A new entrypoint takes no arguments from the base image's CMD. */
	if (!a->state->own_cmd) {
		xb_strv_clear(&config->cmd);
		config->has_cmd = false;
	}
	xb_strv_copy(&config->entrypoint, &argv);
	config->has_entrypoint = true;
	record(a, xb_history_quoted("ENTRYPOINT", &argv));
	return 0;
}

struct word_refs XB_ARRAY(const struct xb_word *);

static void word_refs_clear(struct word_refs *words)
{
	xb_array_clear(words);
}

static int compare_words(const void *a, const void *b)
{
	return strcmp((*(const struct xb_word *const *)a)->text,
		      (*(const struct xb_word *const *)b)->text);
}

/* The words as they are written, in order: as BuildKit has them in the history. */
static void sorted_words(const struct xb_instruction *instruction, struct word_refs *ret)
{
	for (size_t i = 0; i < instruction->word_count; i++)
		*xb_array_push(ret) = &instruction->words[i];
	if (ret->len > 1)
		qsort(ret->items, ret->len, sizeof(*ret->items), compare_words);
}

static int expose_word(const struct xb_plan_apply *a, const struct xb_word *word,
		       struct xb_strv *ports, struct xb_error *err)
{
	xb_auto_strv struct xb_strv texts = XB_STRV_INIT;
	int r = xb_scope_expand_split(&a->state->vars, a->file, word, &texts, err);

	for (size_t t = 0; r == 0 && t < texts.len; t++) {
		if (xb_expose_parse(texts.items[t], ports, err) < 0)
			r = xb_location_wrap(a->file, word->at, err);
	}
	return r;
}

static int apply_expose(const struct xb_plan_apply *a, struct xb_error *err)
{
	xb_auto_strv struct xb_strv ports = XB_STRV_INIT;
	XB_CLEANUP(word_refs_clear) struct word_refs words = { 0 };
	int r = 0;

	sorted_words(a->instruction, &words);
	for (size_t i = 0; r == 0 && i < words.len; i++)
		r = expose_word(a, words.items[i], &ports, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ports.len; i++)
		xb_set_add(&a->state->config.exposed_ports, &a->state->ports, ports.items[i]);
	record(a, xb_history_list("EXPOSE", &ports));
	return 0;
}

/* A word without the white space around it, which the JSON form keeps. */
static char *trimmed(const struct xb_word *word)
{
	size_t from = 0, to = strlen(word->text);

	xb_text_trim(xb_view(word->text), &from, &to);
	return xb_view_dup(xb_view_sub(xb_view(word->text), from, to - from));
}

static int apply_volume(const struct xb_plan_apply *a, struct xb_error *err)
{
	xb_auto_strv struct xb_strv paths = XB_STRV_INIT;

	for (size_t i = 0; i < a->instruction->word_count; i++) {
		xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);
		struct xb_word word = a->instruction->words[i];
		xb_autofree char *text = trimmed(&word);
		int r;

		word.text = text;
		r = xb_plan_apply_expand(a, &word, &path, err);
		if (r == 0 && path.len == 0)
			r = xb_location_error(a->file, a->instruction->words[i].at, err,
					      "VOLUME specified can not be an empty string");
		if (r < 0)
			return r;
		xb_strv_push(&paths, xb_str_text(&path));
	}
	for (size_t i = 0; i < paths.len; i++)
		xb_set_add(&a->state->config.volumes, &a->state->volumes, paths.items[i]);
	record(a, xb_history_list("VOLUME", &paths));
	return 0;
}

/* The one operand of USER, STOPSIGNAL and WORKDIR, which may expand to nothing. */
static int one_operand(const struct xb_plan_apply *a, struct xb_str *ret, struct xb_error *err)
{
	return xb_plan_apply_expand(a, &a->instruction->words[0], ret, err);
}

static int apply_user(const struct xb_plan_apply *a, struct xb_error *err)
{
	xb_auto_str struct xb_str user = XB_STR_INIT(XB_STR_OWN);
	int r = one_operand(a, &user, err);

	if (r < 0)
		return r;
	xb_image_config_set(&a->state->config.user, user.len > 0 ? xb_str_text(&user) : NULL);
	record(a, xb_format("USER %s", xb_str_text(&user)));
	return 0;
}

static int apply_stop_signal(const struct xb_plan_apply *a, struct xb_error *err)
{
	xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);
	int number;
	int r = one_operand(a, &name, err);

	if (r < 0)
		return r;
	if (xb_signal_parse(xb_str_text(&name), &number, err) < 0)
		return xb_location_wrap(a->file, a->instruction->words[0].at, err);
	xb_image_config_set(&a->state->config.stop_signal, xb_str_text(&name));
	record(a, xb_format("STOPSIGNAL %s", xb_str_text(&name)));
	return 0;
}

static int apply_shell(const struct xb_plan_apply *a, struct xb_error *err)
{
	xb_auto_strv struct xb_strv shell = XB_STRV_INIT;

	(void)err;
	words_to_strv(a->instruction, 0, &shell);
	xb_strv_copy(&a->state->config.shell, &shell);
	record(a, xb_history_list("SHELL", &shell));
	return 0;
}

static int apply_maintainer(const struct xb_plan_apply *a, struct xb_error *err)
{
	const char *name = a->instruction->words[0].text;

	(void)err;
	xb_image_config_set(&a->state->config.author, name);
	record(a, xb_format("MAINTAINER %s", name));
	return 0;
}

static int apply_healthcheck(const struct xb_plan_apply *a, struct xb_error *err)
{
	struct xb_image_config *config = &a->state->config;
	struct xb_healthcheck *check = &config->healthcheck;
	struct xb_healthcheck_options options;
	int r = xb_healthcheck_read(a->file, a->instruction, &options, err);

	if (r < 0)
		return r;
	xb_strv_clear(&check->test);
	*check = (struct xb_healthcheck){
		.interval = (uint64_t)options.interval,
		.timeout = (uint64_t)options.timeout,
		.start_period = (uint64_t)options.start_period,
		.start_interval = (uint64_t)options.start_interval,
		.retries = options.retries,
	};
	config->has_healthcheck = true;
	if (options.none) {
		xb_strv_push(&check->test, "NONE");
	} else {
		xb_strv_push(&check->test, a->instruction->json ? "CMD" : "CMD-SHELL");
		words_to_strv(a->instruction, 1, &check->test);
	}
	record(a, xb_history_healthcheck(check));
	return 0;
}

/*
 * The trigger as a text that can be parsed again: its here-documents belong to it. As in BuildKit,
 * the history does not mention it.
 */
static int apply_onbuild(const struct xb_plan_apply *a, struct xb_error *err)
{
	const struct xb_instruction *child = a->instruction->child;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	(void)err;
	(void)xb_str_puts(&text, child->source);
	for (size_t i = 0; i < child->heredoc_count; i++)
		(void)xb_str_printf(&text, "\n%s%s", child->heredocs[i].raw,
				    child->heredocs[i].name);
	xb_strv_push(&a->state->config.on_build, xb_str_text(&text));
	return 0;
}

/* ---- steps -------------------------------------------------------------------------------- */

static int apply_workdir(const struct xb_plan_apply *a, struct xb_error *err)
{
	struct xb_stage_state *state = a->state;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_autofree char *path = NULL;
	struct xb_step step;
	int r = one_operand(a, &text, err);

	if (r < 0)
		return r;
	path = xb_plan_path(state->config.working_dir != NULL ? state->config.working_dir : "/",
			    xb_str_text(&text));
	/* An absolute path stands in the config as it was written, as BuildKit has it. */
	xb_image_config_set(&state->config.working_dir,
			    xb_str_text(&text)[0] == '/' ? xb_str_text(&text) : path);
	if (strcmp(path, "/") == 0) {
		record(a, xb_strdup("WORKDIR /"));
		return 0;
	}

	step = xb_stage_step(a->planner, state, XB_STEP_WORKDIR, a->file, a->instruction);
	step.workdir.path = xb_arena_dup(a->planner->plan->arena, xb_view(path));
	step.workdir.user = xb_arena_dup(a->planner->plan->arena, xb_view(state->config.user));
	state->tip = xb_steps_add(&a->planner->steps, &step);
	xb_stage_record(a->planner, state, xb_format("WORKDIR %s", state->config.working_dir),
			state->tip);
	return 0;
}

/* ---- the table ---------------------------------------------------------------------------- */

static int (*const instructions[XB_INSTRUCTION_COUNT])(const struct xb_plan_apply *,
						       struct xb_error *) = {
	[XB_INSTRUCTION_ADD] = xb_plan_apply_copy,
	[XB_INSTRUCTION_ARG] = apply_arg,
	[XB_INSTRUCTION_CMD] = apply_command,
	[XB_INSTRUCTION_COPY] = xb_plan_apply_copy,
	[XB_INSTRUCTION_ENTRYPOINT] = apply_command,
	[XB_INSTRUCTION_ENV] = apply_env,
	[XB_INSTRUCTION_EXPOSE] = apply_expose,
	[XB_INSTRUCTION_HEALTHCHECK] = apply_healthcheck,
	[XB_INSTRUCTION_LABEL] = apply_label,
	[XB_INSTRUCTION_MAINTAINER] = apply_maintainer,
	[XB_INSTRUCTION_ONBUILD] = apply_onbuild,
	[XB_INSTRUCTION_RUN] = xb_plan_apply_run,
	[XB_INSTRUCTION_SHELL] = apply_shell,
	[XB_INSTRUCTION_STOPSIGNAL] = apply_stop_signal,
	[XB_INSTRUCTION_USER] = apply_user,
	[XB_INSTRUCTION_VOLUME] = apply_volume,
	[XB_INSTRUCTION_WORKDIR] = apply_workdir,
};

static int check_size(const struct xb_plan_apply *a, struct xb_error *err)
{
	if (++a->planner->applied <= MAX_INSTRUCTIONS)
		return 0;
	return xb_location_error(a->file, a->instruction->at, err,
				 "more than %zu instructions for all platforms together",
				 MAX_INSTRUCTIONS);
}

static int no_text(const struct xb_plan_apply *a, struct xb_error *err)
{
	return xb_location_error(a->file, a->instruction->at, err,
				 "this is not UTF-8, which an image's config has to be");
}

/* Names of files and commands may have any bytes; what goes into the config may not. */
static int check_text(const struct xb_plan_apply *a, struct xb_error *err)
{
	const struct xb_plan_histories *history = &a->state->history;
	const struct xb_strv *on_build = &a->state->config.on_build;
	enum xb_instruction_kind kind = a->instruction->kind;

	if (kind == XB_INSTRUCTION_RUN || kind == XB_INSTRUCTION_COPY ||
	    kind == XB_INSTRUCTION_ADD || kind == XB_INSTRUCTION_ARG)
		return 0;
	if (kind == XB_INSTRUCTION_ONBUILD)
		return xb_stage_is_text(on_build->items[on_build->len - 1]) ? 0 : no_text(a, err);
	/* The entry of history has all that the instruction came to, but for quoted words. */
	if (xb_stage_is_text(history->items[history->len - 1].created_by) &&
	    xb_stage_is_text(a->instruction->source))
		return 0;
	return no_text(a, err);
}

int xb_instruction_apply(struct xb_planner *planner, struct xb_stage_state *state,
			 const struct xb_dockerfile *file, const struct xb_instruction *instruction,
			 const struct xb_copy_source *source, struct xb_error *err)
{
	struct xb_plan_apply a = {
		.planner = planner,
		.state = state,
		.file = file,
		.instruction = instruction,
		.source = source,
	};
	int r;

	r = check_size(&a, err);
	if (r < 0)
		return r;
	if (instructions[instruction->kind] == NULL)
		return xb_location_error(file, instruction->at, err,
					 "this instruction cannot stand here");
	r = instructions[instruction->kind](&a, err);
	return r < 0 ? r : check_text(&a, err);
}
