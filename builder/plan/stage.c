/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/stage.h"

#include <string.h>

#include "base/url.h"

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
	};
}

const char *const *xb_plan_list(struct xb_plan *plan, const struct xb_strv *v)
{
	const char **list = xb_arena_alloc(plan->arena, v->len + 1, sizeof(*list));

	for (size_t i = 0; i < v->len; i++)
		list[i] = xb_arena_dup(plan->arena, xb_view(v->items[i]));
	return list;
}
