/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/epoch.h"

#include <errno.h>
#include <string.h>

#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/location.h"
#include "builder/plan/fetch.h"

#define EPOCH	  "SOURCE_DATE_EPOCH"
#define MAX_EPOCH ((uint64_t)1 << 40) /* the year 36812; fits every format that dates go into */

/* What is looked at. */
struct epoch {
	struct xb_planner *planner;
	const struct xb_dockerfile *file;
	const struct xb_vars *globals;
	const char *value;
};

/* The ARG of the global scope that gave the value, or NULL: --build-arg did. */
static const struct xb_pair *find_pair(const struct epoch *e)
{
	const struct xb_pair *found = NULL;

	if (xb_vars_get(&e->planner->build_args, XB_VIEW(EPOCH)) != NULL)
		return NULL;
	for (size_t i = 0; i < e->file->arg_count; i++) {
		for (size_t k = 0; k < e->file->args[i].pair_count; k++) {
			if (strcmp(e->file->args[i].pairs[k].name.text, EPOCH) == 0)
				found = &e->file->args[i].pairs[k];
		}
	}
	return found;
}

/* Give an error the place of the ARG that is to blame, if one is. */
static int locate(const struct epoch *e, int r, struct xb_error *err)
{
	const struct xb_pair *pair = find_pair(e);

	(void)xb_error_fault(err, pair != NULL ? XB_FAULT_SOURCE : XB_FAULT_USAGE);
	if (pair == NULL)
		return r;
	return xb_location_wrap(e->file, pair->value.text != NULL ? pair->value.at : pair->name.at,
				err);
}

static int no_time(const struct epoch *e, struct xb_error *err)
{
	(void)xb_error_set(err, -EINVAL, "invalid " EPOCH ": %s", e->value);
	(void)xb_error_hint(err,
			    "give the seconds since 1970 as a whole number, \"context\", or the "
			    "name of a stage or a named context");
	return locate(e, -EINVAL, err);
}

/* ---- the stage form ------------------------------------------------------------------------ */

static const struct xb_stage *find_stage(const struct epoch *e)
{
	for (size_t i = 0; i < e->file->stage_count; i++) {
		const char *name = e->file->stages[i].name;

		if (name != NULL && strcasecmp(name, e->value) == 0)
			return &e->file->stages[i];
	}
	return NULL;
}

static int unfit(const struct epoch *e, struct xb_location at, struct xb_error *err,
		 const char *why)
{
	(void)xb_location_error(e->file, at, err, "the stage that " EPOCH " names %s", why);
	(void)xb_error_hint(err,
			    "give it FROM scratch, ARG and one ADD of a URL or git repository, "
			    "and nothing else");
	return -EINVAL;
}

/* Describe what the only ADD of the stage fetches. */
static int read_add(const struct epoch *e, const struct xb_instruction *add,
		    const struct xb_vars *args, struct xb_step_fetch *ret, struct xb_error *err)
{
	const struct xb_flag *flag = xb_instruction_flag(add, "checksum");
	xb_auto_str struct xb_str url = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str checksum = XB_STR_INIT(XB_STR_OWN);
	xb_autofree char *name = NULL;
	enum xb_source_form form = XB_FORM_PATH;
	int r = 0;

	if (add->word_count != 2 || add->heredoc_count > 0)
		return unfit(e, add->at, err, "adds more than one source");
	r = xb_scope_expand(args, e->file, &add->words[0], &url, err);
	if (r == 0 && xb_source_form_of(xb_str_text(&url), &form, err) < 0)
		return xb_location_wrap(e->file, add->words[0].at, err);
	if (r == 0 && form == XB_FORM_PATH)
		return unfit(e, add->words[0].at, err, "adds a path, which has no time");
	if (r == 0 && flag != NULL && flag->value != NULL) {
		struct xb_word word = { .text = flag->value, .at = flag->at };

		r = xb_scope_expand(args, e->file, &word, &checksum, err);
		if (r == 0 && xb_fetch_check_checksum(form, xb_str_text(&checksum), err) < 0)
			return xb_location_wrap(e->file, flag->at, err);
	}
	if (r < 0)
		return r;
	name = xb_fetch_file_name(xb_str_text(&url));
	*ret = xb_fetch_describe(e->planner->plan, xb_str_text(&url), form == XB_FORM_GIT, name,
				 checksum.len > 0 ? xb_str_text(&checksum) : NULL);
	return 0;
}

static int declare(const struct epoch *e, const struct xb_instruction *arg, struct xb_vars *args,
		   struct xb_error *err)
{
	const struct xb_scope_arguments arguments = {
		.file = e->file,
		.build_args = &e->planner->build_args,
		.globals = e->globals,
		.may_shadow = true, /* it names no platform */
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < arg->pair_count; i++) {
		xb_autofree char *shown = NULL;

		r = xb_scope_declare(&arguments, &arg->pairs[i], args, &shown, err);
	}
	return r;
}

static int time_of_stage(const struct epoch *e, const struct xb_stage *stage, int64_t *ret,
			 struct xb_error *err)
{
	const struct xb_plan_sources *sources = &e->planner->request->sources;
	xb_auto_vars struct xb_vars args = { 0 };
	xb_auto_str struct xb_str base = XB_STR_INIT(XB_STR_OWN);
	struct xb_step_fetch fetch = { 0 };
	int r = xb_scope_expand(e->globals, e->file, &stage->from->words[0], &base, err);

	if (r == 0 && !xb_view_is(xb_str_view(&base), "scratch"))
		r = unfit(e, stage->from->at, err, "is not FROM scratch");
	xb_vars_set_all(&args, &e->globals->items);
	for (size_t i = 0; r == 0 && i < stage->instruction_count; i++) {
		const struct xb_instruction *instruction = &stage->instructions[i];

		if (instruction->kind == XB_INSTRUCTION_ARG)
			r = declare(e, instruction, &args, err);
		else if (instruction->kind != XB_INSTRUCTION_ADD)
			r = unfit(e, instruction->at, err, "does more than to add one source");
		else if (fetch.url != NULL)
			r = unfit(e, instruction->at, err, "adds more than one source");
		else
			r = read_add(e, instruction, &args, &fetch, err);
	}
	if (r == 0 && fetch.url == NULL)
		r = unfit(e, stage->from->at, err, "adds nothing");
	return r < 0 ? r : sources->time(sources->context, &fetch, ret, err);
}

/* ---- the other forms ----------------------------------------------------------------------- */

static int time_of_named(const struct epoch *e, const char *name, int64_t *ret,
			 struct xb_error *err)
{
	const struct xb_plan_sources *sources = &e->planner->request->sources;
	struct xb_step_fetch fetch;
	int r;

	*ret = -1;
	if (sources->kind(sources->context, name) != XB_SOURCE_REMOTE)
		return 0;
	r = xb_fetch_describe_named(e->planner, name, &fetch, err);
	return r < 0 ? r : sources->time(sources->context, &fetch, ret, err);
}

static int resolve(const struct epoch *e, int64_t *ret, struct xb_error *err)
{
	const struct xb_plan_sources *sources = &e->planner->request->sources;
	xb_autofree char *named =
		xb_named_for(sources, e->value, &e->planner->request->build_platform);
	const struct xb_stage *stage;
	uint64_t seconds = 0;

	if (xb_view_parse_u64(xb_view(e->value), MAX_EPOCH, &seconds) == 0) {
		*ret = (int64_t)seconds;
		return 0;
	}
	if (strcmp(e->value, "context") == 0) {
		*ret = e->planner->request->context_time;
		return 0;
	}
	if (sources->kind(sources->context, named) != XB_SOURCE_IMAGE)
		return time_of_named(e, named, ret, err);
	stage = find_stage(e);
	return stage != NULL ? time_of_stage(e, stage, ret, err) : no_time(e, err);
}

int xb_epoch_resolve(struct xb_planner *planner, const struct xb_vars *globals,
		     struct xb_error *err)
{
	struct epoch e = {
		.planner = planner,
		.file = planner->request->dockerfile,
		.globals = globals,
		.value = xb_vars_get(&planner->build_args, XB_VIEW(EPOCH)),
	};
	int64_t seconds = -1;
	int r;

	if (e.value == NULL)
		e.value = xb_vars_get(globals, XB_VIEW(EPOCH));
	if (e.value == NULL || *e.value == '\0')
		return 0;
	r = resolve(&e, &seconds, err);
	if (r < 0)
		return r;
	planner->plan->epoch = seconds > (int64_t)MAX_EPOCH ? (int64_t)MAX_EPOCH : seconds;
	return 0;
}

/* In `vars`, if it is there at all. */
static void put(struct xb_vars *vars, int64_t epoch)
{
	xb_autofree char *number = xb_format("%lld", (long long)epoch);

	if (xb_vars_get(vars, XB_VIEW(EPOCH)) == NULL)
		return;
	if (epoch >= 0)
		xb_vars_set(vars, XB_VIEW(EPOCH), xb_view(number));
	else
		xb_vars_unset(vars, XB_VIEW(EPOCH));
}

void xb_epoch_apply(struct xb_planner *planner, struct xb_vars *globals)
{
	put(&planner->build_args, planner->plan->epoch);
	put(globals, planner->plan->epoch);
}
