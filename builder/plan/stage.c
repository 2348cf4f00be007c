/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/stage.h"

#include <stdint.h>
#include <string.h>

#include "base/url.h"
#include "builder/dockerfile/location.h"

/* Titles are for one line of a terminal; the whole instruction is in the summary of a failure. */
#define TITLE_TEXT_MAX 120

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * A Dockerfile may come from strangers. Each RUN has its environment for itself, each stage what
 * the one it stands on has, and variables are put into here-documents, so that what a plan holds
 * may grow faster than the file: this much of it at most.
 */
#define MAX_BYTES ((size_t)64 << 20)

void xb_stage_state_clear(struct xb_stage_state *state)
{
	xb_image_config_clear(&state->config);
	xb_vars_clear(&state->env);
	xb_vars_clear(&state->vars);
	xb_vars_clear(&state->declared);
	xb_map_free(state->ports);
	xb_map_free(state->volumes);
	xb_map_free(state->labels);
	xb_array_clear(&state->history);
}

void xb_stage_set_var(struct xb_stage_state *state, struct xb_view name, struct xb_view value)
{
	xb_vars_set(&state->vars, name, value);
	state->run_env = NULL;
}

void xb_stage_set_env(struct xb_stage_state *state, struct xb_view name, struct xb_view value)
{
	xb_vars_set(&state->env, name, value);
	xb_stage_set_var(state, name, value);
}

void xb_stage_take_env(struct xb_stage_state *state)
{
	bool windows = strcmp(state->platform.os, "windows") == 0;

	xb_vars_set_all(&state->env, &state->config.env);
	xb_strv_clear(&state->config.env);
	if (!windows && xb_vars_get(&state->env, XB_VIEW("PATH")) == NULL)
		xb_vars_set(&state->env, XB_VIEW("PATH"), XB_VIEW(DEFAULT_PATH));
	xb_vars_set_all(&state->vars, &state->env.items);
	state->run_env = NULL;
}

static void index_labels(struct xb_stage_state *state)
{
	state->labels = xb_map_new();
	for (size_t i = 0; i < state->config.labels.len; i++)
		(void)xb_map_set(state->labels, xb_view(state->config.labels.items[i].name),
				 (void *)(uintptr_t)(i + 1));
}

void xb_stage_set_label(struct xb_stage_state *state, const char *name, const char *value)
{
	struct xb_annotations *labels = &state->config.labels;
	struct xb_annotation *label;
	size_t place;

	if (state->labels == NULL)
		index_labels(state);
	place = (size_t)(uintptr_t)xb_map_get(state->labels, xb_view(name));
	if (place > 0) {
		label = &labels->items[place - 1];
		free(label->value);
		label->value = xb_strdup(value);
		return;
	}
	label = xb_array_push(labels);
	label->name = xb_strdup(name);
	label->value = xb_strdup(value);
	(void)xb_map_set(state->labels, xb_view(name), (void *)(uintptr_t)labels->len);
}

int xb_stage_count(struct xb_planner *planner, const struct xb_dockerfile *file,
		   const struct xb_instruction *instruction, size_t bytes, struct xb_error *err)
{
	planner->bytes += bytes;
	if (planner->bytes <= MAX_BYTES)
		return 0;
	return xb_location_error(file, instruction->at, err,
				 "what the stages and steps have of the same variables, arguments "
				 "and here-documents is too large");
}

void xb_stage_record(struct xb_planner *planner, struct xb_stage_state *state, char *created_by,
		     size_t step)
{
	xb_autofree char *text = created_by;
	struct xb_plan_history *entry = xb_array_push(&state->history);

	entry->created_by = xb_arena_dup(planner->plan->arena, xb_view(text));
	entry->step = step;
}

/* Length of a start of `text` of at most `max` bytes that ends between characters. */
static size_t cut(struct xb_view text, size_t max)
{
	size_t len = max;

	while (len > 0 && ((unsigned char)text.data[len] & 0xC0U) == 0x80U)
		len--;
	return len;
}

bool xb_stage_is_text(const char *text)
{
	struct xb_view rest = xb_view(text);

	while (rest.len > 0) {
		size_t len = xb_view_utf8_len(rest);

		if (len == 0)
			return false;
		rest = xb_view_sub(rest, len, rest.len);
	}
	return true;
}

const char *xb_stage_line(struct xb_plan *plan, const char *text)
{
	xb_auto_str struct xb_str masked = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str safe = XB_STR_INIT(XB_STR_OWN);
	xb_autofree char *flat = NULL;
	struct xb_view line = xb_view(text);
	ptrdiff_t end = xb_view_find(line, '\n');
	const char *more = "";

	if (end >= 0)
		line.len = (size_t)end;
	xb_url_append_masked(&masked, line);
	line = xb_str_view(&masked);
	if (line.len > TITLE_TEXT_MAX) {
		line.len = cut(line, TITLE_TEXT_MAX);
		more = "…";
	}
	flat = xb_view_dup(line);
	for (char *tab = flat; (tab = strchr(tab, '\t')) != NULL;)
		*tab = ' ';
	(void)xb_str_append_quoted(&safe, xb_view(flat));
	return xb_arena_format(plan->arena, "%s%s", xb_str_text(&safe), more);
}

static const char *title(struct xb_planner *planner, const struct xb_stage_state *state,
			 const char *text)
{
	return xb_arena_format(planner->plan->arena, "[%s %s %zu/%zu] %s",
			       xb_platform_name(&state->platform).text, state->label, state->layers,
			       state->layers_total, xb_stage_line(planner->plan, text));
}

struct xb_step xb_stage_step(struct xb_planner *planner, struct xb_stage_state *state,
			     enum xb_step_kind kind, const struct xb_dockerfile *file,
			     const struct xb_instruction *instruction)
{
	state->layers++;
	return (struct xb_step){
		.kind = kind,
		.parent = state->tip,
		.platform = state->platform,
		.strategy = XB_STRATEGY_NATIVE,
		.reason = "the builder's own work",
		.stage = state->label,
		.title = title(planner, state, instruction->source),
		.file = file,
		.instruction = instruction,
		.fresh = state->fresh,
	};
}

const char *const *xb_plan_list(struct xb_plan *plan, const struct xb_strv *v)
{
	const char **list = xb_arena_alloc(plan->arena, v->len + 1, sizeof(*list));

	for (size_t i = 0; i < v->len; i++)
		list[i] = xb_arena_dup(plan->arena, xb_view(v->items[i]));
	return list;
}
