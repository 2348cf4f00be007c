/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/instruction.h"

#include <errno.h>
#include <string.h>

#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/location.h"
#include "builder/dockerfile/values.h"
#include "builder/plan/history.h"
#include "builder/plan/mount.h"
#include "builder/plan/path.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * A Dockerfile may come from strangers. Each name is looked for among all others, and each RUN has
 * its environment for itself, so that what a plan costs grows faster than the file.
 */
#define MAX_NAMES	 10000
#define MAX_INSTRUCTIONS 20000
#define MAX_ENV_BYTES	 ((size_t)64 << 20)

/* An instruction on its way into a stage. */
struct apply {
	struct xb_planner *planner;
	struct xb_stage_state *state;
	const struct xb_instruction *instruction;
	const struct xb_copy_source *source;
};

static const struct xb_dockerfile *file_of(const struct apply *a)
{
	return a->planner->request->dockerfile;
}

static struct xb_arena *arena_of(const struct apply *a)
{
	return a->planner->plan->arena;
}

static void record(const struct apply *a, char *created_by)
{
	xb_stage_record(a->planner, a->state, created_by, XB_STEP_NONE);
}

static int expand(const struct apply *a, const struct xb_word *word, struct xb_str *ret,
		  struct xb_error *err)
{
	struct xb_scope scope = xb_stage_scope(a->state);

	return xb_scope_expand(&scope, file_of(a), word, ret, err);
}

/* Expand a flag's value; a flag that is not there leaves `ret` empty. Returns whether it is there.
 */
static int expand_flag(const struct apply *a, const char *name, struct xb_str *ret,
		       struct xb_error *err)
{
	const struct xb_flag *flag = xb_instruction_flag(a->instruction, name);
	struct xb_word word;
	int r;

	if (flag == NULL || flag->value == NULL)
		return 0;
	word = (struct xb_word){ .text = flag->value, .at = flag->at };
	r = expand(a, &word, ret, err);
	return r < 0 ? r : 1;
}

static void words_to_strv(const struct xb_instruction *instruction, size_t from,
			  struct xb_strv *ret)
{
	for (size_t i = from; i < instruction->word_count; i++)
		xb_strv_push(ret, instruction->words[i].text);
}

static void default_shell(const struct apply *a, struct xb_strv *ret)
{
	static const char *const unix_shell[] = { "/bin/sh", "-c", NULL };
	static const char *const windows_shell[] = { "cmd", "/S", "/C", NULL };
	bool windows = strcmp(a->state->platform.os, "windows") == 0;

	for (const char *const *word = windows ? windows_shell : unix_shell; *word != NULL; word++)
		xb_strv_push(ret, *word);
}

/* The command of RUN, CMD and ENTRYPOINT: as it is, or behind the stage's shell. */
static void command_of(const struct apply *a, size_t from, struct xb_strv *ret)
{
	if (!a->instruction->json) {
		if (a->state->config.shell.len > 0)
			xb_strv_append(ret, &a->state->config.shell);
		else
			default_shell(a, ret);
	}
	words_to_strv(a->instruction, from, ret);
}

/* ---- variables ---------------------------------------------------------------------------- */

static int apply_arg(const struct apply *a, struct xb_error *err)
{
	struct xb_stage_state *state = a->state;
	xb_auto_strv struct xb_strv before = XB_STRV_INIT;
	xb_auto_strv struct xb_strv shown = XB_STRV_INIT;
	struct xb_scope scope = { .env = &state->config.env, .args = &state->args };

	/* All pairs see the arguments as they were before the instruction. */
	if (a->instruction->pair_count > 1) {
		xb_strv_copy(&before, &state->args);
		scope.args = &before;
	}
	for (size_t i = 0; i < a->instruction->pair_count; i++) {
		const struct xb_pair *pair = &a->instruction->pairs[i];
		xb_autofree char *text = NULL;
		struct xb_view name;
		int r = xb_scope_declare(&scope, file_of(a), pair, a->planner->request->build_args,
					 &state->globals, &state->args, &text, err);

		if (r < 0)
			return r;
		name = xb_view(text);
		if (xb_view_find(name, '=') >= 0)
			name.len = (size_t)xb_view_find(name, '=');
		(void)xb_map_set(a->planner->consumed, name, a->planner);
		xb_strv_take(&shown, XB_STEAL(text));
	}
	record(a, xb_history_words("ARG", &shown));
	return 0;
}

/* Expand the pairs of ENV and LABEL, all in the scope as it is before the instruction. */
static int expand_pairs(const struct apply *a, struct xb_strv *names, struct xb_strv *values,
			struct xb_strv *shown, struct xb_error *err)
{
	for (size_t i = 0; i < a->instruction->pair_count; i++) {
		const struct xb_pair *pair = &a->instruction->pairs[i];
		xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);
		xb_auto_str struct xb_str value = XB_STR_INIT(XB_STR_OWN);
		int r = expand(a, &pair->name, &name, err);

		if (r == 0)
			r = expand(a, &pair->value, &value, err);
		if (r < 0)
			return r;
		if (name.len == 0)
			return xb_location_error(file_of(a), pair->name.at, err,
						 "a name must not be empty");
		xb_strv_push(names, xb_str_text(&name));
		xb_strv_push(values, xb_str_text(&value));
		xb_strv_printf(shown, "%s=%s", xb_str_text(&name), xb_str_text(&value));
	}
	return 0;
}

static int apply_env(const struct apply *a, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	xb_auto_strv struct xb_strv values = XB_STRV_INIT;
	xb_auto_strv struct xb_strv shown = XB_STRV_INIT;
	int r = expand_pairs(a, &names, &values, &shown, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < names.len; i++)
		xb_env_set(&a->state->config.env, xb_view(names.items[i]),
			   xb_view(values.items[i]));
	record(a, xb_history_words("ENV", &shown));
	return 0;
}

static int apply_label(const struct apply *a, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	xb_auto_strv struct xb_strv values = XB_STRV_INIT;
	xb_auto_strv struct xb_strv shown = XB_STRV_INIT;
	int r = expand_pairs(a, &names, &values, &shown, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < names.len; i++)
		xb_annotations_set(&a->state->config.labels, names.items[i], values.items[i]);
	record(a, xb_history_words("LABEL", &shown));
	return 0;
}

/* ---- config ------------------------------------------------------------------------------- */

static int apply_command(const struct apply *a, struct xb_error *err)
{
	struct xb_image_config *config = &a->state->config;
	xb_auto_strv struct xb_strv argv = XB_STRV_INIT;

	(void)err;
	command_of(a, 0, &argv);
	if (a->instruction->kind == XB_INSTRUCTION_CMD) {
		xb_strv_copy(&config->cmd, &argv);
		config->has_cmd = true;
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

/* Add items to a set; a range of ports may be tens of thousands. */
static void add_all(struct xb_strv *set, const struct xb_strv *items)
{
	xb_auto_map struct xb_map *known = xb_map_new();

	for (size_t i = 0; i < set->len; i++)
		(void)xb_map_set(known, xb_view(set->items[i]), set);
	for (size_t i = 0; i < items->len; i++) {
		if (xb_map_set(known, xb_view(items->items[i]), set) == NULL)
			xb_strv_push(set, items->items[i]);
	}
}

static int apply_expose(const struct apply *a, struct xb_error *err)
{
	xb_auto_strv struct xb_strv ports = XB_STRV_INIT;
	struct xb_scope scope = xb_stage_scope(a->state);

	for (size_t i = 0; i < a->instruction->word_count; i++) {
		const struct xb_word *word = &a->instruction->words[i];
		xb_auto_strv struct xb_strv texts = XB_STRV_INIT;
		int r = xb_scope_expand_split(&scope, file_of(a), word, &texts, err);

		for (size_t t = 0; r == 0 && t < texts.len; t++) {
			if (xb_expose_parse(texts.items[t], &ports, err) < 0)
				r = xb_location_wrap(file_of(a), word->at, err);
		}
		if (r < 0)
			return r;
	}
	xb_strv_sort(&ports);
	add_all(&a->state->config.exposed_ports, &ports);
	record(a, xb_history_list("EXPOSE", &ports));
	return 0;
}

static int apply_volume(const struct apply *a, struct xb_error *err)
{
	xb_auto_strv struct xb_strv paths = XB_STRV_INIT;

	for (size_t i = 0; i < a->instruction->word_count; i++) {
		xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);
		int r = expand(a, &a->instruction->words[i], &path, err);

		if (r < 0)
			return r;
		xb_strv_push(&paths, xb_str_text(&path));
	}
	for (size_t i = 0; i < paths.len; i++)
		xb_image_config_add(&a->state->config.volumes, paths.items[i]);
	record(a, xb_history_list("VOLUME", &paths));
	return 0;
}

/* The one operand of USER, STOPSIGNAL and WORKDIR, expanded and not empty. */
static int one_operand(const struct apply *a, struct xb_str *ret, struct xb_error *err)
{
	const struct xb_word *word = &a->instruction->words[0];
	int r = expand(a, word, ret, err);

	if (r == 0 && ret->len == 0)
		r = xb_location_error(file_of(a), word->at, err, "the operand is empty");
	return r;
}

static int apply_user(const struct apply *a, struct xb_error *err)
{
	xb_auto_str struct xb_str user = XB_STR_INIT(XB_STR_OWN);
	int r = one_operand(a, &user, err);

	if (r < 0)
		return r;
	xb_image_config_set(&a->state->config.user, xb_str_text(&user));
	record(a, xb_format("USER %s", xb_str_text(&user)));
	return 0;
}

static int apply_stop_signal(const struct apply *a, struct xb_error *err)
{
	xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);
	int number;
	int r = one_operand(a, &name, err);

	if (r < 0)
		return r;
	if (xb_signal_parse(xb_str_text(&name), &number, err) < 0)
		return xb_location_wrap(file_of(a), a->instruction->words[0].at, err);
	xb_image_config_set(&a->state->config.stop_signal, xb_str_text(&name));
	record(a, xb_format("STOPSIGNAL %s", xb_str_text(&name)));
	return 0;
}

static int apply_shell(const struct apply *a, struct xb_error *err)
{
	xb_auto_strv struct xb_strv shell = XB_STRV_INIT;

	(void)err;
	words_to_strv(a->instruction, 0, &shell);
	xb_strv_copy(&a->state->config.shell, &shell);
	record(a, xb_history_list("SHELL", &shell));
	return 0;
}

static int apply_maintainer(const struct apply *a, struct xb_error *err)
{
	const char *name = a->instruction->words[0].text;

	(void)err;
	xb_image_config_set(&a->state->config.author, name);
	record(a, xb_format("MAINTAINER %s", name));
	return 0;
}

static int apply_healthcheck(const struct apply *a, struct xb_error *err)
{
	struct xb_image_config *config = &a->state->config;
	struct xb_healthcheck *check = &config->healthcheck;
	struct xb_healthcheck_options options;
	int r = xb_healthcheck_read(file_of(a), a->instruction, &options, err);

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
	record(a, xb_history_quoted("HEALTHCHECK", &check->test));
	return 0;
}

static int apply_onbuild(const struct apply *a, struct xb_error *err)
{
	const struct xb_instruction *child = a->instruction->child;

	(void)err;
	xb_strv_push(&a->state->config.on_build, child->source);
	record(a, xb_format("ONBUILD %s", child->source));
	return 0;
}

/* ---- steps -------------------------------------------------------------------------------- */

static int apply_workdir(const struct apply *a, struct xb_error *err)
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

	step = xb_stage_step(a->planner, state, XB_STEP_WORKDIR, a->instruction,
			     a->instruction->source);
	step.workdir.path = xb_arena_dup(arena_of(a), xb_view(path));
	step.workdir.user = xb_arena_dup(arena_of(a), xb_view(state->config.user));
	state->tip = xb_steps_add(&a->planner->steps, &step);
	xb_stage_record(a->planner, state, xb_format("WORKDIR %s", path), state->tip);
	return 0;
}

/* The environment of a RUN: build arguments, then what ENV set, which wins. */
static void run_env(const struct apply *a, struct xb_strv *env)
{
	const struct xb_strv *set = &a->state->config.env;

	for (size_t i = 0; i < a->state->args.len; i++) {
		struct xb_view arg = xb_view(a->state->args.items[i]);
		struct xb_view name = xb_view_sub(arg, 0, (size_t)xb_view_find(arg, '='));

		if (xb_env_get(set, name) == NULL)
			xb_strv_push_view(env, arg);
	}
	xb_strv_append(env, set);
	if (xb_env_get(env, XB_VIEW("PATH")) == NULL)
		xb_strv_push(env, "PATH=" DEFAULT_PATH);
}

/* The value of a proxy argument in whichever case it was given. */
static const char *proxy_value(const struct xb_strv *args, struct xb_view name)
{
	for (size_t i = 0; i < args->len; i++) {
		struct xb_view rest = xb_view(args->items[i]);
		struct xb_view arg;

		if (xb_view_split(&rest, '=', &arg) && xb_view_eq_nocase(arg, name))
			return rest.data;
	}
	return NULL;
}

/*
 * Proxies given with --build-arg reach every RUN, in both spellings since programs differ in which
 * they read, but no key and no history.
 */
static void run_proxies(const struct apply *a, const struct xb_strv *env, struct xb_strv *proxies)
{
	for (const char *const *name = xb_scope_proxy_names; *name != NULL; name++) {
		const char *value = proxy_value(a->planner->request->build_args, xb_view(*name));

		if (value != NULL && xb_env_get(env, xb_view(*name)) == NULL)
			xb_strv_printf(proxies, "%s=%s", *name, value);
	}
}

/* Count what a RUN's environment costs. */
static int count_env(const struct apply *a, const struct xb_strv *env, struct xb_error *err)
{
	size_t *bytes = &a->planner->env_bytes;

	for (size_t i = 0; i < env->len; i++)
		*bytes += strlen(env->items[i]) + 1 + sizeof(char *);
	if (*bytes <= MAX_ENV_BYTES)
		return 0;
	return xb_location_error(file_of(a), a->instruction->at, err,
				 "the environments of all steps together are too large");
}

/* How the step runs; one that cannot run at all fails the plan here, before any work. */
static int decide(const struct apply *a, struct xb_step *step, struct xb_error *err)
{
	const struct xb_plan_request *request = a->planner->request;
	xb_auto_strategy_decision struct xb_strategy_decision decision = XB_STRATEGY_DECISION_INIT;
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r;

	xb_strategy_decide(&step->platform, &request->build_platform, request->strategy, &decision);
	step->strategy = decision.strategy;
	step->reason = xb_arena_dup(arena_of(a), xb_view(decision.reason));
	if (decision.strategy != XB_STRATEGY_IMPOSSIBLE)
		return 0;
	(void)xb_strategy_error(&decision, &step->platform, &cause);
	r = xb_location_error(file_of(a), a->instruction->at, err, "%s", cause.message);
	if (err != NULL)
		err->fault = XB_FAULT_PLATFORM;
	if (cause.hint != NULL)
		(void)xb_error_hint(err, "%s", cause.hint);
	return r;
}

static int apply_run(const struct apply *a, struct xb_error *err)
{
	struct xb_stage_state *state = a->state;
	struct xb_plan *plan = a->planner->plan;
	xb_auto_strv struct xb_strv argv = XB_STRV_INIT;
	xb_auto_strv struct xb_strv env = XB_STRV_INIT;
	xb_auto_strv struct xb_strv proxies = XB_STRV_INIT;
	const char *cwd = state->config.working_dir;
	struct xb_step step = xb_stage_step(a->planner, state, XB_STEP_RUN, a->instruction,
					    a->instruction->source);
	int r = decide(a, &step, err);

	if (r < 0)
		return r;
	command_of(a, 0, &argv);
	run_env(a, &env);
	r = count_env(a, &env, err);
	if (r < 0)
		return r;
	run_proxies(a, &env, &proxies);
	step.run = (struct xb_step_run){
		.argv = xb_plan_list(plan, &argv),
		.env = xb_plan_list(plan, &env),
		.proxy = xb_plan_list(plan, &proxies),
		.cwd = xb_arena_dup(plan->arena, xb_view(cwd != NULL && *cwd != '\0' ? cwd : "/")),
		.user = xb_arena_dup(plan->arena, xb_view(state->config.user)),
	};
	r = xb_plan_mounts(a->planner, state, a->instruction, a->source, &step.run, err);
	if (r < 0)
		return r;
	state->tip = xb_steps_add(&a->planner->steps, &step);
	xb_stage_record(a->planner, state, xb_history_run(&state->args, &argv), state->tip);
	return 0;
}

/* Expand the operands of COPY: all but the last are sources. */
static int copy_operands(const struct apply *a, struct xb_strv *sources, char **ret_destination,
			 struct xb_error *err)
{
	const struct xb_instruction *instruction = a->instruction;
	const char *cwd = a->state->config.working_dir;

	for (size_t i = 0; i < instruction->word_count; i++) {
		xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
		int r = expand(a, &instruction->words[i], &text, err);

		if (r < 0)
			return r;
		if (i + 1 == instruction->word_count)
			*ret_destination =
				xb_plan_destination(cwd != NULL ? cwd : "/", xb_str_text(&text));
		else if (instruction->kind == XB_INSTRUCTION_ADD &&
			 xb_source_is_remote(xb_str_text(&text)))
			return xb_location_error(file_of(a), instruction->words[i].at, err,
						 "ADD from a URL is not supported yet");
		else
			xb_strv_push(sources, xb_str_text(&text));
	}
	if (sources->len > 1 && !xb_view_ends(xb_view(*ret_destination), XB_VIEW("/")))
		return xb_location_error(file_of(a), instruction->at, err,
					 "with more than one source the destination must be a "
					 "directory and end with a /");
	return 0;
}

/* --chown and --chmod. Returns 0 or a negative errno. */
static int copy_ownership(const struct apply *a, struct xb_step_copy *copy, struct xb_error *err)
{
	xb_auto_str struct xb_str chown = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str chmod = XB_STR_INIT(XB_STR_OWN);
	struct xb_owner owner;
	mode_t mode;
	int r = expand_flag(a, "chown", &chown, err);

	if (r < 0)
		return r;
	if (r > 0 && chown.len > 0) {
		if (xb_owner_parse(xb_str_text(&chown), &owner, err) < 0)
			return xb_location_wrap(
				file_of(a), xb_instruction_flag(a->instruction, "chown")->at, err);
		copy->chown = xb_arena_dup(arena_of(a), xb_str_view(&chown));
	}
	r = expand_flag(a, "chmod", &chmod, err);
	if (r <= 0)
		return r;
	if (xb_chmod_parse(xb_str_text(&chmod), &mode, err) < 0)
		return xb_location_wrap(file_of(a),
					xb_instruction_flag(a->instruction, "chmod")->at, err);
	copy->mode = (int)mode;
	return 0;
}

static char *copy_history(const struct apply *a, const struct xb_step_copy *copy,
			  const struct xb_strv *sources)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_autofree char *joined = xb_strv_join(sources, " ");

	(void)xb_str_puts(&text, copy->add ? "ADD " : "COPY ");
	for (size_t i = 0; i < a->instruction->flag_count; i++) {
		const struct xb_flag *flag = &a->instruction->flags[i];

		if (strcmp(flag->name, "chown") == 0 && copy->chown != NULL)
			(void)xb_str_printf(&text, "--chown=%s ", copy->chown);
		else if (strcmp(flag->name, "chmod") == 0)
			(void)xb_str_printf(&text, "--chmod=%s ", flag->value);
	}
	(void)xb_str_printf(&text, "%s %s", joined, copy->destination);
	return xb_str_steal(&text);
}

static int apply_copy(const struct apply *a, struct xb_error *err)
{
	struct xb_stage_state *state = a->state;
	xb_auto_strv struct xb_strv sources = XB_STRV_INIT;
	xb_autofree char *destination = NULL;
	struct xb_step step = xb_stage_step(a->planner, state, XB_STEP_COPY, a->instruction,
					    a->instruction->source);
	int r = copy_operands(a, &sources, &destination, err);

	if (r < 0)
		return r;
	step.copy = (struct xb_step_copy){
		.add = a->instruction->kind == XB_INSTRUCTION_ADD,
		.origin = a->source->origin,
		.from = a->source->step,
		.from_name = a->source->name,
		.sources = xb_plan_list(a->planner->plan, &sources),
		.destination = xb_arena_dup(arena_of(a), xb_view(destination)),
		.mode = -1,
	};
	r = copy_ownership(a, &step.copy, err);
	if (r < 0)
		return r;
	state->tip = xb_steps_add(&a->planner->steps, &step);
	xb_stage_record(a->planner, state, copy_history(a, &step.copy, &sources), state->tip);
	return 0;
}

/* ---- the table ---------------------------------------------------------------------------- */

static int (*const instructions[XB_INSTRUCTION_COUNT])(const struct apply *, struct xb_error *) = {
	[XB_INSTRUCTION_ADD] = apply_copy,
	[XB_INSTRUCTION_ARG] = apply_arg,
	[XB_INSTRUCTION_CMD] = apply_command,
	[XB_INSTRUCTION_COPY] = apply_copy,
	[XB_INSTRUCTION_ENTRYPOINT] = apply_command,
	[XB_INSTRUCTION_ENV] = apply_env,
	[XB_INSTRUCTION_EXPOSE] = apply_expose,
	[XB_INSTRUCTION_HEALTHCHECK] = apply_healthcheck,
	[XB_INSTRUCTION_LABEL] = apply_label,
	[XB_INSTRUCTION_MAINTAINER] = apply_maintainer,
	[XB_INSTRUCTION_ONBUILD] = apply_onbuild,
	[XB_INSTRUCTION_RUN] = apply_run,
	[XB_INSTRUCTION_SHELL] = apply_shell,
	[XB_INSTRUCTION_STOPSIGNAL] = apply_stop_signal,
	[XB_INSTRUCTION_USER] = apply_user,
	[XB_INSTRUCTION_VOLUME] = apply_volume,
	[XB_INSTRUCTION_WORKDIR] = apply_workdir,
};

static int check_size(const struct apply *a, struct xb_error *err)
{
	const struct xb_stage_state *state = a->state;
	size_t names = state->config.env.len + state->args.len + state->config.labels.len +
		       a->instruction->pair_count;

	if (names > MAX_NAMES)
		return xb_location_error(file_of(a), a->instruction->at, err,
					 "more than %d variables and labels", MAX_NAMES);
	if (++a->planner->applied > MAX_INSTRUCTIONS)
		return xb_location_error(file_of(a), a->instruction->at, err,
					 "more than %d instructions for all platforms together",
					 MAX_INSTRUCTIONS);
	return 0;
}

/* Names of files and commands may have any bytes; what goes into the config may not. */
static int check_text(const struct apply *a, struct xb_error *err)
{
	const struct xb_plan_histories *history = &a->state->history;
	enum xb_instruction_kind kind = a->instruction->kind;

	if (kind == XB_INSTRUCTION_RUN || kind == XB_INSTRUCTION_COPY ||
	    kind == XB_INSTRUCTION_ADD || kind == XB_INSTRUCTION_ARG)
		return 0;
	/* The entry of history has all that the instruction came to. */
	if (xb_stage_is_text(history->items[history->len - 1].created_by))
		return 0;
	return xb_location_error(file_of(a), a->instruction->at, err,
				 "this is not UTF-8, which an image's config has to be");
}

int xb_instruction_apply(struct xb_planner *planner, struct xb_stage_state *state,
			 const struct xb_instruction *instruction,
			 const struct xb_copy_source *source, struct xb_error *err)
{
	struct apply a = {
		.planner = planner,
		.state = state,
		.instruction = instruction,
		.source = source,
	};
	int r;

	r = check_size(&a, err);
	if (r < 0)
		return r;
	if (instructions[instruction->kind] == NULL)
		return xb_location_error(planner->request->dockerfile, instruction->at, err,
					 "this instruction cannot stand here");
	r = instructions[instruction->kind](&a, err);
	return r < 0 ? r : check_text(&a, err);
}
