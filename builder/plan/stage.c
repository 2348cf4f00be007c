/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/stage.h"

/* Titles are for one line of a terminal; the whole instruction is in the summary of a failure. */
#define TITLE_TEXT_MAX 120

void xb_stage_state_clear(struct xb_stage_state *state)
{
	xb_image_config_clear(&state->config);
	xb_strv_clear(&state->args);
	xb_strv_clear(&state->globals);
	xb_array_clear(&state->history);
}

struct xb_scope xb_stage_scope(const struct xb_stage_state *state)
{
	return (struct xb_scope){ .env = &state->config.env, .args = &state->args };
}

void xb_stage_record(struct xb_planner *planner, struct xb_stage_state *state, char *created_by,
		     size_t step)
{
	xb_autofree char *text = created_by;
	struct xb_plan_history *entry = xb_array_push(&state->history);

	entry->created_by = xb_arena_dup(planner->plan->arena, xb_view(text));
	entry->step = step;
}

static const char *title(struct xb_planner *planner, const struct xb_stage_state *state,
			 const char *text)
{
	xb_auto_str struct xb_str platform = XB_STR_INIT(XB_STR_OWN);
	struct xb_view line = xb_view(text);
	ptrdiff_t end = xb_view_find(line, '\n');
	const char *more = "";

	(void)xb_platform_format(&state->platform, &platform);
	if (end >= 0)
		line.len = (size_t)end;
	if (line.len > TITLE_TEXT_MAX) {
		line.len = TITLE_TEXT_MAX;
		more = "…";
	}
	return xb_arena_format(planner->plan->arena, "[%s %s %zu/%zu] %.*s%s",
			       xb_str_text(&platform), state->label, state->layers,
			       state->layers_total, XB_VIEW_ARGS(line), more);
}

struct xb_step xb_stage_step(struct xb_planner *planner, struct xb_stage_state *state,
			     enum xb_step_kind kind, const struct xb_instruction *instruction,
			     const char *text)
{
	state->layers++;
	return (struct xb_step){
		.kind = kind,
		.parent = state->tip,
		.platform = state->platform,
		.strategy = XB_STRATEGY_NATIVE,
		.reason = "the builder's own work",
		.stage = state->label,
		.title = title(planner, state, text),
		.instruction = instruction,
	};
}

const char *const *xb_plan_list(struct xb_plan *plan, const struct xb_strv *v)
{
	const char **list = xb_arena_alloc(plan->arena, v->len + 1, sizeof(*list));

	for (size_t i = 0; i < v->len; i++)
		list[i] = xb_arena_dup(plan->arena, xb_view(v->items[i]));
	return list;
}
