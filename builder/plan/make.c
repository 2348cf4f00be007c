/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/make.h"

#include <errno.h>
#include <string.h>

#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/location.h"
#include "builder/plan/base.h"
#include "builder/plan/epoch.h"
#include "builder/plan/fetch.h"
#include "builder/plan/instruction.h"
#include "builder/plan/names.h"
#include "builder/plan/stage.h"
#include "builder/plan/stages.h"
#include "builder/plan/trigger.h"
#include "builder/plan/warn.h"

/* A stage that stands on another is a level of recursion, and copies what the other has. */
#define MAX_STAGES 1000

/* About what a variable, a label or an entry of history costs that a stage has from another. */
#define ENTRY_BYTES ((size_t)64)

/* The planner's memory of what it has made: one state for each stage and target, when wanted. */
struct planning {
	struct xb_planner planner;
	struct xb_stage_state **states; /* [stage * platform_count + target], NULL until wanted */
	struct xb_vars *globals;	/* by target */
	struct xb_stage_names names;
};

/* A stage that is being made for a target. */
struct place {
	struct planning *p;
	struct xb_stage_state *state;
	size_t stage;
	size_t target;
};

static int build_stage(struct planning *p, size_t stage, size_t target,
		       const struct xb_stage_state **ret, struct xb_error *err);

static const struct xb_dockerfile *file_of(const struct planning *p)
{
	return p->planner.request->dockerfile;
}

/* ---- the global scope --------------------------------------------------------------------- */

/* What TARGETSTAGE is: the name of the stage that is built. */
static const char *target_name(const struct planning *p)
{
	const char *name = p->planner.request->target;

	if (name != NULL && *name != '\0')
		return name;
	return file_of(p)->stages[file_of(p)->stage_count - 1].name;
}

static int declare_global(struct planning *p, struct xb_vars *globals, const struct xb_pair *pair,
			  struct xb_error *err)
{
	const struct xb_scope_arguments arguments = {
		.file = file_of(p),
		.build_args = &p->planner.build_args,
		.may_shadow = p->planner.request->allow.shadowed_arg,
	};
	xb_autofree char *shown = NULL;
	int r = xb_scope_declare(&arguments, pair, globals, &shown, err);

	if (r == 0)
		(void)xb_map_set(p->planner.consumed, xb_view(pair->name.text), p);
	return r;
}

static int declare_globals(struct planning *p, size_t target, struct xb_error *err)
{
	const struct xb_plan_request *request = p->planner.request;
	const struct xb_dockerfile *file = file_of(p);
	struct xb_vars *globals = &p->globals[target];
	int r = 0;

	globals->work = &p->planner.work;
	xb_scope_automatic(globals, &request->build_platform, &request->platforms[target],
			   target_name(p), &p->planner.build_args);
	for (size_t i = 0; i < file->arg_count; i++) {
		for (size_t k = 0; r == 0 && k < file->args[i].pair_count; k++)
			r = declare_global(p, globals, &file->args[i].pairs[k], err);
	}
	return r;
}

/* One time for all platforms: what it comes to for the first. */
static int make_globals(struct planning *p, size_t target, struct xb_error *err)
{
	int r = declare_globals(p, target, err);

	if (r == 0 && target == 0)
		r = xb_epoch_resolve(&p->planner, &p->globals[target], err);
	if (r == 0)
		xb_epoch_apply(&p->planner, &p->globals[target]);
	return r;
}

/* ---- FROM --------------------------------------------------------------------------------- */

static int stage_platform(struct planning *p, struct xb_stage_state *state, struct xb_error *err)
{
	const struct xb_flag *flag = xb_instruction_flag(state->ast->from, "platform");
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	struct xb_word word;
	int r;

	state->platform = state->target;
	if (flag == NULL)
		return 0;
	word = (struct xb_word){ .text = flag->value != NULL ? flag->value : "", .at = flag->at };
	r = xb_scope_expand(state->globals, file_of(p), &word, &text, err);
	if (r < 0)
		return r;
	if (xb_platform_parse(xb_str_view(&text), &p->planner.request->build_platform,
			      &state->platform, err) < 0)
		return xb_location_wrap(file_of(p), flag->at, err);
	return 0;
}

static void from_scratch(struct xb_stage_state *state)
{
	state->tip = XB_STEP_NONE;
	state->config.platform = state->platform;
	xb_image_config_set(&state->config.working_dir, "/");
}

/* --platform cannot turn the tree of a stage into one of another platform. */
static int other_platform(struct planning *p, const struct xb_stage_state *state,
			  const struct xb_stage_state *parent, const struct xb_flag *flag,
			  struct xb_error *err)
{
	(void)xb_location_error(file_of(p), flag->at, err, "stage %s is of %s and cannot become %s",
				parent->label, xb_platform_name(&parent->platform).text,
				xb_platform_name(&state->platform).text);
	(void)xb_error_hint(err,
			    "drop --platform here, or set it on the FROM of stage %s; "
			    "--allow-mismatch=stage-platform ignores it",
			    parent->label);
	if (err != NULL)
		err->fault = XB_FAULT_PROOF;
	return -EINVAL;
}

/* What each stage has for itself of the one it stands on. */
static int count_inherited(struct planning *p, const struct xb_stage_state *state,
			   const struct xb_stage_state *parent, struct xb_error *err)
{
	size_t entries = parent->vars.items.len + parent->env.items.len +
			 parent->declared.items.len + parent->config.labels.len +
			 parent->config.exposed_ports.len + parent->config.volumes.len +
			 parent->history.len;

	return xb_stage_count(&p->planner, file_of(p), state->ast->from, entries * ENTRY_BYTES,
			      err);
}

static int from_stage(struct planning *p, struct xb_stage_state *state, size_t stage, size_t target,
		      struct xb_error *err)
{
	const struct xb_flag *flag = xb_instruction_flag(state->ast->from, "platform");
	const struct xb_stage_state *parent = NULL;
	int r = build_stage(p, stage, target, &parent, err);

	if (r == 0)
		r = count_inherited(p, state, parent, err);
	if (r < 0)
		return r;
	if (flag != NULL && !xb_platform_eq(&state->platform, &parent->platform) &&
	    !p->planner.request->allow.stage_platform)
		return other_platform(p, state, parent, flag, err);
	state->platform = parent->platform;
	state->own_platform = parent->own_platform;
	state->tip = parent->tip;
	xb_image_config_copy(&state->config, &parent->config);
	xb_vars_set_all(&state->vars, &parent->vars.items);
	xb_vars_set_all(&state->declared, &parent->declared.items);
	xb_strv_copy(&state->config.env, &parent->env.items);
	for (size_t i = 0; i < parent->history.len; i++)
		*xb_array_push(&state->history) = parent->history.items[i];
	return 0;
}

/* The image's config says which variant it is for, also where that of the base only implied it. */
static void complete_platform(struct xb_stage_state *state)
{
	struct xb_platform *own = &state->config.platform;
	struct xb_platform meant = *own;

	xb_platform_normalise(&meant);
	if (own->variant[0] == '\0' && xb_platform_eq(&meant, &state->platform))
		memcpy(own->variant, meant.variant, sizeof(own->variant));
}

static enum xb_source_kind kind_of(const struct planning *p, const char *name)
{
	const struct xb_plan_sources *sources = &p->planner.request->sources;

	return sources->kind(sources->context, name);
}

/* What the sources call it for the stage's platform; lives as long as the plan. */
static const char *named_for(const struct planning *p, const struct xb_stage_state *state,
			     const char *name)
{
	xb_autofree char *found =
		xb_named_for(&p->planner.request->sources, name, &state->platform);

	return xb_arena_dup(p->planner.plan->arena, xb_view(found));
}

/* The files given by --build-context, as the only layer of a tree. */
static int from_files(struct planning *p, struct xb_stage_state *state, const char *name,
		      struct xb_error *err)
{
	static const char *const all[] = { ".", NULL };
	static const char *const none[] = { NULL };
	const struct xb_instruction *from = state->ast->from;
	struct xb_copy_source source;
	struct xb_step step;
	int r = xb_named_files(&p->planner, state, file_of(p), from, name, &source, err);

	if (r < 0)
		return r;
	from_scratch(state);
	state->layers = 0; /* it stands for the FROM */
	step = xb_stage_step(&p->planner, state, XB_STEP_COPY, file_of(p), from);
	step.copy = (struct xb_step_copy){
		.origin = source.origin,
		.from = source.step,
		.from_name = source.name,
		.sources = all,
		.excludes = none,
		.destination = "/",
		.mode = -1,
	};
	state->tip = xb_steps_add(&p->planner.steps, &step);
	xb_stage_record(&p->planner, state, xb_format("FROM %s", name), state->tip);
	return 0;
}

static int from_image(struct planning *p, struct xb_stage_state *state, const char *name,
		      struct xb_error *err)
{
	const struct xb_instruction *from = state->ast->from;
	const char *found = named_for(p, state, name);
	const struct xb_plan_base base = { .planner = &p->planner,
					   .state = state,
					   .file = file_of(p),
					   .instruction = from,
					   .name = found,
					   .at = from->words[0].at };
	struct xb_step step;
	int r;

	if (xb_named_is_files(&p->planner, found))
		return from_files(p, state, found, err);
	if (kind_of(p, found) == XB_SOURCE_SCRATCH) {
		from_scratch(state);
		return 0;
	}
	r = xb_plan_base_step(&base, &step, err);
	if (r < 0)
		return r;
	state->own_platform = !xb_platform_eq(&state->platform, &step.platform);
	state->platform = step.platform;
	xb_image_config_copy(&state->config, &step.base.image->config);
	complete_platform(state);
	/* What other builders left about themselves (docker_version, container_config) ends here.
	 */
	free(state->config.extra);
	state->config.extra = NULL;
	state->tip = xb_steps_add(&p->planner.steps, &step);
	return 0;
}

static int apply_from(struct planning *p, struct xb_stage_state *state, size_t stage, size_t target,
		      struct xb_error *err)
{
	const struct xb_word *word = &state->ast->from->words[0];
	xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);
	size_t parent;
	int r = xb_scope_expand(state->globals, file_of(p), word, &name, err);

	if (r < 0)
		return r;
	if (name.len == 0)
		return xb_location_error(file_of(p), word->at, err,
					 "the base image's name is empty after expansion");
	state->layers = 1;
	parent = xb_stage_names_find(&p->names, xb_str_text(&name), stage);
	if (strcmp(xb_str_text(&name), "scratch") == 0)
		from_scratch(state);
	else if (parent != XB_STAGE_NONE)
		r = from_stage(p, state, parent, target, err);
	else
		r = from_image(p, state, xb_str_text(&name), err);
	return r;
}

/* ---- COPY --from, RUN --mount=from= ------------------------------------------------------- */

/* A `from` on its way to what it means. */
struct origin {
	struct xb_stage_state *state;
	size_t stage;
	size_t target;
	const struct xb_dockerfile *file; /* where the instruction stands */
	const struct xb_instruction *instruction;
	const struct xb_flag *flag;
	const char *name;
};

/* A stage that comes later is not there yet. */
static int check_earlier(struct planning *p, const struct origin *o, size_t stage,
			 struct xb_error *err)
{
	const struct xb_dockerfile *file = file_of(p);
	const char *flag = strcmp(o->flag->name, "from") == 0 ? "--from" : "from";

	if (stage < o->stage)
		return 0;
	if (stage == o->stage)
		(void)xb_location_error(o->file, o->flag->at, err, "%s=%s is this stage itself",
					flag, o->name);
	else
		(void)xb_location_error(
			o->file, o->flag->at, err,
			"%s=%s is not a stage before this one: it begins in line %u", flag, o->name,
			file->stages[stage].from->at.line);
	(void)xb_error_hint(err, "move that stage in front of this one");
	return -EINVAL;
}

/* Which stage it means, by name or number; XB_STAGE_NONE when it means something else. */
static int origin_stage(struct planning *p, const struct origin *o, size_t *ret,
			struct xb_error *err)
{
	uint64_t number;

	*ret = XB_STAGE_NONE;
	if (kind_of(p, o->name) != XB_SOURCE_IMAGE)
		return 0;
	*ret = xb_stage_names_origin(&p->names, o->name, o->stage);
	if (*ret != XB_STAGE_NONE)
		return check_earlier(p, o, *ret, err);
	if (xb_view_parse_u64(xb_view(o->name), SIZE_MAX, &number) == -EINVAL)
		return 0;
	return xb_location_error(o->file, o->flag->at, err, "there is no stage number %s", o->name);
}

static int find_origin(struct planning *p, const struct origin *o, struct xb_copy_source *ret,
		       struct xb_error *err)
{
	const struct xb_plan_base base = { .planner = &p->planner,
					   .state = o->state,
					   .file = o->file,
					   .instruction = o->instruction,
					   .name = o->name,
					   .at = o->flag->at };
	const struct xb_stage_state *other = NULL;
	struct xb_step step;
	size_t index;
	int r = origin_stage(p, o, &index, err);

	if (r < 0)
		return r;
	if (kind_of(p, o->name) == XB_SOURCE_SCRATCH) {
		*ret = (struct xb_copy_source){ XB_COPY_STEP, XB_STEP_NONE, NULL };
		return 0;
	}
	if (index != XB_STAGE_NONE) {
		r = build_stage(p, index, o->target, &other, err);
		if (r == 0)
			*ret = (struct xb_copy_source){ XB_COPY_STEP, other->tip, NULL };
		return r;
	}
	if (xb_named_is_files(&p->planner, o->name))
		return xb_named_files(&p->planner, o->state, o->file, o->instruction, o->name, ret,
				      err);
	r = xb_plan_base_step(&base, &step, err);
	if (r == 0)
		*ret = (struct xb_copy_source){ XB_COPY_STEP,
						xb_steps_add(&p->planner.steps, &step), NULL };
	return r;
}

static int copy_origin(struct planning *p, struct origin *o, struct xb_copy_source *ret,
		       struct xb_error *err)
{
	o->flag = xb_instruction_flag(o->instruction, "from");
	if (o->flag == NULL || o->flag->value == NULL)
		return 0;
	o->name = named_for(p, o->state, o->flag->value);
	if (strcmp(o->name, "scratch") != 0)
		return find_origin(p, o, ret, err);
	*ret = (struct xb_copy_source){ XB_COPY_STEP, XB_STEP_NONE, NULL };
	return 0;
}

/* A dollar at the end is only a dollar. */
static bool names_variable(const char *from)
{
	const char *dollar = strchr(from, '$');

	return dollar != NULL && dollar[1] != '\0';
}

/* One for each mount. What has no `from`, or one that is no name, is the mount reader's matter. */
static int mount_origins(struct planning *p, struct origin *o, struct xb_copy_source *ret,
			 struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->instruction->flag_count; i++) {
		xb_autofree char *from = NULL;

		o->flag = &o->instruction->flags[i];
		if (strcmp(o->flag->name, "mount") != 0)
			continue;
		from = xb_mount_from(o->flag->value);
		if (from != NULL && strcmp(from, "scratch") == 0) {
			*ret = (struct xb_copy_source){ XB_COPY_STEP, XB_STEP_NONE, NULL };
		} else if (from != NULL && from[0] != '\0' && !names_variable(from)) {
			o->name = named_for(p, o->state, from);
			r = find_origin(p, o, ret, err);
		}
		ret++;
	}
	return r;
}

/* Where the instruction's files come from: the context, unless it says otherwise. */
static int find_origins(struct planning *p, struct origin *o, struct xb_copy_source *ret, size_t n,
			struct xb_error *err)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = (struct xb_copy_source){ .origin = XB_COPY_CONTEXT, .step = XB_STEP_NONE };
	return o->instruction->kind == XB_INSTRUCTION_RUN ? mount_origins(p, o, ret, err)
							  : copy_origin(p, o, ret, err);
}

/* ---- stages ------------------------------------------------------------------------------- */

static size_t count_layers(const struct xb_stage *ast)
{
	size_t n = 1;

	for (size_t i = 0; i < ast->instruction_count; i++)
		n += xb_instruction_rule(ast->instructions[i].kind)->layer;
	return n;
}

static int apply_one(const struct place *at, const struct xb_dockerfile *file,
		     const struct xb_instruction *instruction, struct xb_error *err)
{
	struct origin origin = {
		.state = at->state,
		.stage = at->stage,
		.target = at->target,
		.file = file,
		.instruction = instruction,
	};
	xb_autofree struct xb_copy_source *sources =
		xb_calloc(instruction->flag_count + 1, sizeof(*sources));
	int r = find_origins(at->p, &origin, sources, instruction->flag_count + 1, err);

	return r < 0 ? r
		     : xb_instruction_apply(&at->p->planner, at->state, file, instruction, sources,
					    err);
}

/* Carry out the triggers of the base: as if they stood right behind the FROM. */
static int apply_triggers(const struct place *at, struct xb_error *err)
{
	const char *base = at->state->ast->from->words[0].text;
	xb_auto_strv struct xb_strv triggers = XB_STRV_INIT;
	int r = 0;

	xb_strv_copy(&triggers, &at->state->config.on_build);
	xb_strv_clear(&at->state->config.on_build);
	for (size_t i = 0; r == 0 && i < triggers.len; i++) {
		const struct xb_dockerfile *file = NULL;

		r = xb_trigger_parse(at->p->planner.plan, base, triggers.items[i], &file, err);
		if (r == 0) {
			const struct xb_instruction *instruction = &file->instructions[0];

			at->state->layers_total += xb_instruction_rule(instruction->kind)->layer;
			r = apply_one(at, file, instruction, err);
		}
	}
	return r;
}

/* The stage is what --build-context gave for its name; its instructions stand for nothing. */
static int apply_named(const struct place *at, struct xb_error *err)
{
	int r = from_image(at->p, at->state, at->state->ast->name, err);

	if (r == 0)
		xb_stage_take_env(at->state);
	return r;
}

static int apply_all(const struct place *at, struct xb_error *err)
{
	const struct xb_stage *ast = at->state->ast;
	int r = stage_platform(at->p, at->state, err);

	if (r < 0)
		return r;
	if (ast->name != NULL &&
	    kind_of(at->p, named_for(at->p, at->state, ast->name)) != XB_SOURCE_IMAGE)
		return apply_named(at, err);
	r = apply_from(at->p, at->state, at->stage, at->target, err);
	if (r == 0) {
		xb_stage_take_env(at->state);
		r = apply_triggers(at, err);
	}
	for (size_t i = 0; r == 0 && i < ast->instruction_count; i++)
		r = apply_one(at, file_of(at->p), &ast->instructions[i], err);
	return r;
}

/* Whether --no-cache-filter names the stage. */
static bool is_fresh(const struct planning *p, const struct xb_stage *ast)
{
	const struct xb_strv *names = p->planner.request->fresh_stages;

	for (size_t i = 0; names != NULL && ast->name != NULL && i < names->len; i++) {
		if (strcasecmp(names->items[i], ast->name) == 0)
			return true;
	}
	return false;
}

/* Make a stage for a target, once; stages it stands on or copies from are made on the way. */
static int build_stage(struct planning *p, size_t stage, size_t target,
		       const struct xb_stage_state **ret, struct xb_error *err)
{
	size_t slot = stage * p->planner.request->platform_count + target;
	const struct xb_stage *ast = &file_of(p)->stages[stage];
	struct xb_stage_state *state;
	int r;

	if (p->states[slot] == NULL) {
		state = xb_calloc(1, sizeof(*state));
		p->states[slot] = state;
		state->ast = ast;
		state->label = ast->name != NULL ? ast->name
						 : xb_arena_format(p->planner.plan->arena,
								   "stage-%zu", stage);
		state->target = p->planner.request->platforms[target];
		state->tip = XB_STEP_NONE;
		state->layers_total = count_layers(ast);
		state->globals = &p->globals[target];
		state->vars.work = &p->planner.work;
		state->fresh = is_fresh(p, ast);
		r = apply_all(&(struct place){ p, state, stage, target }, err);
		if (r < 0)
			return r;
	}
	*ret = p->states[slot];
	return 0;
}

/* ---- targets ------------------------------------------------------------------------------ */

static int no_stage(const struct xb_dockerfile *file, const char *name, struct xb_error *err)
{
	xb_autofree const char **names = xb_calloc(file->stage_count + 1, sizeof(*names));
	const char *nearest;
	size_t n = 0;

	for (size_t i = 0; i < file->stage_count; i++) {
		if (file->stages[i].name != NULL)
			names[n++] = file->stages[i].name;
	}
	nearest = xb_name_nearest(xb_view(name), names);
	(void)xb_error_set(err, -ENOENT, "%s has no stage called %s", file->path, name);
	if (nearest != NULL)
		(void)xb_error_hint(err, "did you mean --target=%s?", nearest);
	else
		(void)xb_error_hint(err, "name a stage of the Dockerfile with --target");
	return xb_error_fault(err, XB_FAULT_SOURCE);
}

static int target_stage(struct planning *p, size_t *ret, struct xb_error *err)
{
	const struct xb_dockerfile *file = file_of(p);
	const char *name = p->planner.request->target;
	uint64_t number;

	*ret = file->stage_count - 1;
	if (name == NULL || *name == '\0')
		return 0;
	*ret = xb_stage_names_find(&p->names, name, file->stage_count);
	if (*ret == XB_STAGE_NONE &&
	    xb_view_parse_u64(xb_view(name), file->stage_count - 1, &number) == 0)
		*ret = (size_t)number;
	return *ret != XB_STAGE_NONE ? 0 : no_stage(file, name, err);
}

/* Whether the image gets the name of the platform asked for, whatever its files are for. */
static bool is_stamped(const struct planning *p, const struct xb_stage_state *state)
{
	return state->own_platform || p->planner.request->allow.pinned_target;
}

/*
 * A final stage that names its platform gives an image for that one. Asked for alone it is what the
 * Dockerfile says; beside others it would be one image under several platforms' names.
 */
static int check_pinned(struct planning *p, const struct xb_stage_state *state,
			struct xb_error *err)
{
	struct xb_platform_name made = xb_platform_name(&state->platform);
	struct xb_platform_name wanted = xb_platform_name(&state->target);

	if (xb_platform_eq(&state->platform, &state->target) || is_stamped(p, state))
		return 0;
	if (p->planner.request->platform_count == 1) {
		xb_strv_printf(&p->planner.plan->warnings,
			       "the final stage is pinned to %s, which the image is for, not %s",
			       made.text, wanted.text);
		return 0;
	}
	(void)xb_location_error(file_of(p), state->ast->from->at, err,
				"the final stage is pinned to %s, but %s is asked for", made.text,
				wanted.text);
	(void)xb_error_hint(err, "drop --platform from this FROM; --allow-mismatch=pinned-target "
				 "gives the image the platform that was asked for");
	if (err != NULL)
		err->fault = XB_FAULT_PROOF;
	return -EINVAL;
}

/* Those of the command line win over the Dockerfile's. */
static int add_labels(const struct xb_plan_request *request, struct xb_image_config *config,
		      struct xb_error *err)
{
	for (size_t i = 0; i < request->labels->len; i++) {
		struct xb_view label = xb_view(request->labels->items[i]);
		xb_autofree char *key = NULL;
		xb_autofree char *value = NULL;
		struct xb_view name;

		if (!xb_stage_is_text(request->labels->items[i])) {
			(void)xb_error_set(err, -EINVAL, "--label %s: not UTF-8",
					   request->labels->items[i]);
			return xb_error_fault(err, XB_FAULT_USAGE);
		}
		(void)xb_view_split(&label, '=', &name);
		key = xb_view_dup(name);
		value = xb_view_dup(label);
		xb_annotations_set(&config->labels, key, value);
	}
	return 0;
}

static int make_target(struct planning *p, size_t stage, size_t target, struct xb_error *err)
{
	struct xb_plan *plan = p->planner.plan;
	const struct xb_plan_request *request = p->planner.request;
	struct xb_plan_target *made = &plan->targets[target];
	const struct xb_stage_state *state = NULL;
	struct xb_plan_history *history;
	int r = build_stage(p, stage, target, &state, err);

	if (r < 0)
		return r;
	r = check_pinned(p, state, err);
	if (r < 0)
		return r;
	history = xb_arena_alloc(plan->arena, state->history.len + 1, sizeof(*history));
	for (size_t i = 0; i < state->history.len; i++)
		history[i] = state->history.items[i];
	made->platform = is_stamped(p, state) ? state->target : state->platform;
	made->step = state->tip;
	made->history = history;
	made->history_count = state->history.len;
	xb_image_config_copy(&made->config, &state->config);
	xb_strv_copy(&made->config.env, &state->env.items);
	if (!xb_platform_eq(&made->platform, &state->platform))
		made->config.platform = made->platform;
	return add_labels(request, &made->config, err);
}

static int check_size(const struct xb_dockerfile *file, struct xb_error *err)
{
	if (file->stage_count <= MAX_STAGES)
		return 0;
	(void)xb_error_set(err, -EFBIG, "%s: %zu stages are more than %d", file->path,
			   file->stage_count, MAX_STAGES);
	(void)xb_error_fault(err, XB_FAULT_SOURCE);
	return -EFBIG;
}

static int make_all(struct planning *p, struct xb_error *err)
{
	size_t stage = 0;
	int r = check_size(file_of(p), err);

	if (r == 0)
		r = xb_stage_names_check_circles(&p->names, err);
	if (r == 0)
		r = target_stage(p, &stage, err);
	for (size_t t = 0; r == 0 && t < p->planner.request->platform_count; t++) {
		const struct xb_stages stages = { p->planner.request, &p->names, &p->globals[t] };

		r = make_globals(p, t, err);
		if (r == 0)
			r = xb_stages_check(&stages, err);
		if (r == 0)
			r = make_target(p, stage, t, err);
	}
	if (r == 0) {
		xb_plan_warn_arguments(&p->planner);
		xb_plan_warn_stages(&p->planner, &p->names);
	}
	return r;
}

static void planning_clear(struct planning *p)
{
	size_t platforms = p->planner.request->platform_count;

	for (size_t i = 0; i < file_of(p)->stage_count * platforms; i++) {
		if (p->states[i] != NULL)
			xb_stage_state_clear(p->states[i]);
		free(p->states[i]);
	}
	free(p->states);
	for (size_t t = 0; t < platforms; t++)
		xb_vars_clear(&p->globals[t]);
	free(p->globals);
	xb_stage_names_clear(&p->names);
	xb_vars_clear(&p->planner.build_args);
	xb_steps_clear(&p->planner.steps);
	xb_map_free(p->planner.consumed);
}

int xb_plan_make(const struct xb_plan_request *request, struct xb_plan **ret, struct xb_error *err)
{
	xb_auto_plan struct xb_plan *plan = xb_calloc(1, sizeof(*plan));
	XB_CLEANUP(planning_clear)
	struct planning p = {
		.planner = { .request = request,
			     .plan = plan,
			     .consumed = xb_map_new(),
			     .work = XB_MAX_EXPANSION_WORK },
		.states = xb_calloc(request->dockerfile->stage_count * request->platform_count,
				    sizeof(struct xb_stage_state *)),
		.globals = xb_calloc(request->platform_count, sizeof(*p.globals)),
	};
	int r;

	plan->arena = xb_arena_new();
	plan->dockerfile = request->dockerfile;
	plan->build_platform = request->build_platform;
	plan->epoch = -1;
	plan->targets = xb_calloc(request->platform_count, sizeof(*plan->targets));
	plan->target_count = request->platform_count;
	xb_steps_init(&p.planner.steps);
	xb_stage_names_init(&p.names, request->dockerfile);
	xb_vars_set_all(&p.planner.build_args, request->build_args);

	r = make_all(&p, err);
	if (r < 0)
		return r;
	plan->step_count = p.planner.steps.len;
	plan->steps = XB_STEAL(p.planner.steps.items);
	*ret = XB_STEAL(plan);
	return 0;
}
