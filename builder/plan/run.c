/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "builder/dockerfile/device.h"
#include "builder/dockerfile/heredoc.h"
#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/location.h"
#include "builder/plan/apply.h"
#include "builder/plan/history.h"
#include "builder/plan/mount.h"

/* The value of a proxy argument in whichever case it was given; of several the one in lower case,
 * which is the last in order, as BuildKit has it. */
static const char *proxy_value(const struct xb_strv *args, struct xb_view name)
{
	const char *found = NULL;

	for (size_t i = 0; i < args->len; i++) {
		struct xb_view rest = xb_view(args->items[i]);
		struct xb_view arg;

		if (xb_view_split(&rest, '=', &arg) && xb_view_eq_nocase(arg, name) &&
		    (found == NULL || strcmp(args->items[i], found) > 0))
			found = args->items[i];
	}
	return found != NULL ? strchr(found, '=') + 1 : NULL;
}

/*
 * Proxies given with --build-arg reach every RUN, in both spellings since programs differ in which
 * they read, but no key and no history.
 */
static void run_proxies(const struct xb_plan_apply *a, struct xb_strv *proxies)
{
	for (const char *const *name = xb_scope_proxy_names; *name != NULL; name++) {
		const char *value = proxy_value(a->planner->request->build_args, xb_view(*name));

		if (value != NULL && xb_vars_get(&a->state->vars, xb_view(*name)) == NULL)
			xb_strv_printf(proxies, "%s=%s", *name, value);
	}
}

/* The environment of a RUN; commands between which nothing is set share it. */
static int run_env(const struct xb_plan_apply *a, const char *const **ret, struct xb_error *err)
{
	struct xb_stage_state *state = a->state;
	const struct xb_strv *items = &state->vars.items;
	size_t bytes = 0;
	int r;

	if (state->run_env == NULL) {
		for (size_t i = 0; i < items->len; i++)
			bytes += strlen(items->items[i]) + 1 + sizeof(char *);
		r = xb_plan_apply_count(a, bytes, err);
		if (r < 0)
			return r;
		state->run_env = xb_plan_list(a->planner->plan, items);
	}
	*ret = state->run_env;
	return 0;
}

/* What was decided for the last command of that platform, which holds for all of them. */
static const struct xb_step *decided(const struct xb_steps *steps, const struct xb_step *wanted)
{
	for (size_t i = steps->len; i-- > 0;) {
		const struct xb_step *step = &steps->items[i];

		if (step->kind == XB_STEP_RUN && xb_platform_eq(&step->platform, &wanted->platform))
			return step;
	}
	return NULL;
}

/* How the step runs; one that cannot run at all fails the plan here, before any work. */
static int decide(const struct xb_plan_apply *a, struct xb_step *step, struct xb_error *err)
{
	const struct xb_plan_request *request = a->planner->request;
	xb_auto_strategy_decision struct xb_strategy_decision decision = XB_STRATEGY_DECISION_INIT;
	const struct xb_step *before = decided(&a->planner->steps, step);
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r;

	if (before != NULL) {
		step->strategy = before->strategy;
		step->reason = before->reason;
		return 0;
	}
	xb_strategy_decide(&step->platform, &request->build_platform, request->strategy, &decision);
	step->strategy = decision.strategy;
	step->reason = xb_arena_dup(a->planner->plan->arena, xb_view(decision.reason));
	if (decision.strategy != XB_STRATEGY_IMPOSSIBLE)
		return 0;
	(void)xb_strategy_error(&decision, &step->platform, &cause);
	r = xb_location_error(a->file, a->instruction->at, err, "%s", cause.message);
	if (err != NULL)
		err->fault = XB_FAULT_PLATFORM;
	if (cause.hint != NULL)
		(void)xb_error_hint(err, "%s", cause.hint);
	return r;
}

/* Here-documents that the shell is to read itself follow the command as they are written. */
static char *with_documents(const struct xb_instruction *instruction)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	if (instruction->word_count > 0)
		(void)xb_str_puts(&text, instruction->words[0].text);
	for (size_t i = 0; i < instruction->heredoc_count; i++)
		(void)xb_str_printf(&text, "\n%s%s", instruction->heredocs[i].raw,
				    instruction->heredocs[i].name);
	return xb_str_steal(&text);
}

/* Whether the command is nothing but one here-document. */
static bool is_document(const struct xb_plan_apply *a)
{
	struct xb_heredoc heredoc;

	return a->instruction->heredoc_count > 0 &&
	       xb_heredoc_read_word(xb_view(a->instruction->words[0].text), a->planner->plan->arena,
				    &heredoc, NULL) > 0;
}

/*
 * The command of the shell form. A here-document alone is the script: given to the shell, which
 * so need not know here-documents, or, with "#!", a file to execute.
 */
static int shell_command(const struct xb_plan_apply *a, struct xb_strv *argv,
			 const struct xb_step_file **ret_script, struct xb_error *err)
{
	const struct xb_heredoc *heredoc = a->instruction->heredocs;
	struct xb_arena *arena = a->planner->plan->arena;
	struct xb_step_file *script;

	xb_plan_apply_shell(a, argv);
	if (!is_document(a)) {
		xb_strv_take(argv, with_documents(a->instruction));
		return 0;
	}
	if (strncmp(heredoc->content, "#!", 2) != 0) {
		xb_strv_push(argv, heredoc->content);
		return 0;
	}
	script = xb_arena_alloc(arena, 1, sizeof(*script));
	script->name = xb_arena_dup(arena, xb_view(heredoc->name));
	script->content = xb_arena_dup(arena, xb_view(heredoc->content));
	xb_strv_printf(argv, "%s%s", XB_STEP_SCRIPTS, heredoc->name);
	*ret_script = script;
	return xb_plan_apply_check_name(a, heredoc, err);
}

static int command_of(const struct xb_plan_apply *a, struct xb_strv *argv,
		      const struct xb_step_file **ret_script, struct xb_error *err)
{
	if (!a->instruction->json)
		return shell_command(a, argv, ret_script, err);
	if (a->instruction->word_count == 0)
		return xb_location_error(a->file, a->instruction->at, err,
					 "there is no command in the list");
	for (size_t i = 0; i < a->instruction->word_count; i++)
		xb_strv_push(argv, a->instruction->words[i].text);
	return 0;
}

/* --network, a word that the parser knows. The network of steps is the host's anyway, unless the
 * whole build has none. */
static int run_network(const struct xb_plan_apply *a, bool *ret_none, struct xb_error *err)
{
	const struct xb_flag *flag = xb_instruction_flag(a->instruction, "network");
	bool forbidden = a->planner->request->no_network;

	*ret_none = flag != NULL && strcmp(flag->value, "none") == 0;
	if (flag == NULL || strcmp(flag->value, "host") != 0 || !forbidden)
		return 0;
	(void)xb_location_error(a->file, flag->at, err,
				"the host's network is not allowed in a build with --network=none");
	(void)xb_error_hint(err, "drop the build's --network=none");
	return -EINVAL;
}

/* --security. What bases bring as ONBUILD comes here, too, and may no more than the user's own. */
static int run_security(const struct xb_plan_apply *a, bool *ret_insecure, struct xb_error *err)
{
	const struct xb_flag *flag = xb_instruction_flag(a->instruction, "security");

	*ret_insecure = flag != NULL && strcmp(flag->value, "insecure") == 0;
	if (!*ret_insecure || a->planner->request->grants.insecure)
		return 0;
	(void)xb_location_error(a->file, flag->at, err,
				"the build has not been allowed security.insecure");
	(void)xb_error_hint(err, "add --allow security.insecure");
	return -EINVAL;
}

static int run_device(const struct xb_plan_apply *a, const struct xb_flag *flag,
		      struct xb_strv *devices, struct xb_error *err)
{
	const struct xb_plan_grants *grants = &a->planner->request->grants;
	xb_auto_device struct xb_device_request device = { 0 };
	xb_auto_strv struct xb_strv found = XB_STRV_INIT;
	int r = xb_device_parse(flag->value, &device, err);

	if (r == 0 && grants->devices != NULL)
		r = grants->devices(grants->context, device.name, device.required, &found, err);
	else if (r == 0 && device.required)
		r = xb_error_set(err, -ENODEV, "the required device %s is not on this machine",
				 device.name);
	for (size_t i = 0; r == 0 && i < found.len; i++) {
		if (xb_strv_find(devices, found.items[i]) < 0)
			xb_strv_push(devices, found.items[i]);
	}
	return r < 0 ? xb_location_wrap(a->file, flag->at, err) : 0;
}

/* --device: names of the machine's devices, each once. */
static int run_devices(const struct xb_plan_apply *a, struct xb_step_run *ret, struct xb_error *err)
{
	xb_auto_strv struct xb_strv devices = XB_STRV_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->instruction->flag_count; i++) {
		const struct xb_flag *flag = &a->instruction->flags[i];

		if (strcmp(flag->name, "device") == 0)
			r = run_device(a, flag, &devices, err);
	}
	ret->devices = xb_plan_list(a->planner->plan, &devices);
	return r;
}

/* Who runs what where. */
static int fill_run(const struct xb_plan_apply *a, struct xb_strv *argv, struct xb_step_run *ret,
		    struct xb_error *err)
{
	struct xb_plan *plan = a->planner->plan;
	const struct xb_image_config *config = &a->state->config;
	xb_auto_strv struct xb_strv proxies = XB_STRV_INIT;
	const char *cwd = config->working_dir;
	int r = command_of(a, argv, &ret->script, err);

	if (r == 0)
		r = run_network(a, &ret->no_network, err);
	if (r == 0)
		r = run_security(a, &ret->insecure, err);
	if (r == 0)
		r = run_devices(a, ret, err);
	if (r == 0)
		r = run_env(a, &ret->env, err);
	if (r < 0)
		return r;
	run_proxies(a, &proxies);
	ret->argv = xb_plan_list(plan, argv);
	ret->proxy = xb_plan_list(plan, &proxies);
	ret->cwd = xb_arena_dup(plan->arena, xb_view(cwd != NULL && *cwd != '\0' ? cwd : "/"));
	ret->user = xb_arena_dup(plan->arena, xb_view(config->user));
	if (a->planner->request->hostname != NULL)
		ret->hostname = xb_arena_dup(plan->arena, xb_view(a->planner->request->hostname));
	return xb_plan_mounts(a->planner, a->state, a->file, a->instruction, a->source, ret, err);
}

int xb_plan_apply_run(const struct xb_plan_apply *a, struct xb_error *err)
{
	struct xb_stage_state *state = a->state;
	xb_auto_strv struct xb_strv argv = XB_STRV_INIT;
	struct xb_step step =
		xb_stage_step(a->planner, state, XB_STEP_RUN, a->file, a->instruction);
	xb_autofree char *history = NULL;
	int r = decide(a, &step, err);

	if (r == 0)
		r = fill_run(a, &argv, &step.run, err);
	if (r < 0)
		return r;
	history = xb_history_run(&state->declared, &state->vars, &argv);
	r = xb_plan_apply_count(a, state->declared.items.len > 0 ? strlen(history) : 0, err);
	if (r < 0)
		return r;
	state->tip = xb_steps_add(&a->planner->steps, &step);
	xb_stage_record(a->planner, state, XB_STEAL(history), state->tip);
	return 0;
}
