/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/order.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/str.h"

#define MS 1000000ULL

struct indices XB_ARRAY(size_t);

/*
 * How long a step takes of which nothing is known: only how it compares with others matters. A
 * command takes longest, and about ten times as long where it is emulated.
 */
static uint64_t guess(const struct xb_step *step)
{
	static const uint64_t by_kind[] = {
		[XB_STEP_BASE] = 200 * MS,  [XB_STEP_RUN] = 2000 * MS,	 [XB_STEP_COPY] = 300 * MS,
		[XB_STEP_WORKDIR] = 5 * MS, [XB_STEP_FETCH] = 3000 * MS,
	};
	uint64_t time = by_kind[step->kind];

	return step->kind == XB_STEP_RUN && step->strategy == XB_STRATEGY_EMULATED ? 10 * time
										   : time;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Count the readers of each step in `first`, one place further on. */
static size_t count_readers(const struct xb_plan *plan, struct xb_order *order)
{
	size_t total = 0;

	for (size_t i = 0; i < plan->step_count; i++) {
		const struct xb_step *step = &plan->steps[i];

		for (size_t k = 0; k < xb_step_input_count(step); k++) {
			if (xb_step_input(step, k) == XB_STEP_NONE)
				continue;
			order->first[xb_step_input(step, k) + 1]++;
			order->waits_for[i]++;
			total++;
		}
	}
	return total;
}

static void fill_dependents(const struct xb_plan *plan, struct xb_order *order)
{
	size_t total = count_readers(plan, order);
	xb_autofree size_t *next = xb_calloc(plan->step_count + 1, sizeof(*next));

	for (size_t i = 0; i < plan->step_count; i++) {
		order->first[i + 1] += order->first[i];
		next[i] = order->first[i];
	}
	order->dependents = xb_calloc(total + 1, sizeof(*order->dependents));
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct xb_step *step = &plan->steps[i];

		for (size_t k = 0; k < xb_step_input_count(step); k++) {
			if (xb_step_input(step, k) != XB_STEP_NONE)
				order->dependents[next[xb_step_input(step, k)]++] = i;
		}
	}
}

/* A step stands after those it needs: backwards, all that stands on a step is known. */
static void measure_paths(const struct xb_plan *plan, const uint64_t *durations,
			  struct xb_order *order)
{
	for (size_t i = plan->step_count; i-- > 0;) {
		uint64_t own = durations != NULL ? durations[i] : 0;
		uint64_t longest = 0;

		for (size_t k = order->first[i]; k < order->first[i + 1]; k++) {
			if (order->path[order->dependents[k]] > longest)
				longest = order->path[order->dependents[k]];
		}
		order->path[i] = add(own > 0 ? own : guess(&plan->steps[i]), longest);
	}
}

static void mark_required(const struct xb_plan *plan, const bool *optional, struct xb_order *order)
{
	for (size_t t = 0; t < plan->target_count; t++) {
		if (plan->targets[t].step != XB_STEP_NONE && (optional == NULL || !optional[t]))
			order->required[plan->targets[t].step] = true;
	}
	for (size_t i = plan->step_count; i-- > 0;) {
		const struct xb_step *step = &plan->steps[i];

		for (size_t k = 0; order->required[i] && k < xb_step_input_count(step); k++) {
			if (xb_step_input(step, k) != XB_STEP_NONE)
				order->required[xb_step_input(step, k)] = true;
		}
	}
}

void xb_order_make(const struct xb_plan *plan, const bool *optional, const uint64_t *durations,
		   struct xb_order *ret)
{
	size_t len = plan->step_count;

	*ret = (struct xb_order){
		.len = len,
		.first = xb_calloc(len + 2, sizeof(*ret->first)),
		.waits_for = xb_calloc(len + 1, sizeof(*ret->waits_for)),
		.path = xb_calloc(len + 1, sizeof(*ret->path)),
		.required = xb_calloc(len + 1, sizeof(*ret->required)),
	};
	fill_dependents(plan, ret);
	measure_paths(plan, durations, ret);
	mark_required(plan, optional, ret);
}

void xb_order_clear(struct xb_order *order)
{
	free(order->first);
	free(order->dependents);
	free(order->waits_for);
	free(order->path);
	free(order->required);
	*order = (struct xb_order){ 0 };
}

void xb_order_lose(const struct xb_order *order, size_t index, bool *lost,
		   void (*visit)(void *context, size_t step), void *context)
{
	struct indices open = { 0 };

	*xb_array_push(&open) = index;
	while (open.len > 0) {
		size_t at = open.items[--open.len];

		for (size_t k = order->first[at]; k < order->first[at + 1]; k++) {
			size_t step = order->dependents[k];

			if (lost[step])
				continue;
			lost[step] = true;
			visit(context, step);
			*xb_array_push(&open) = step;
		}
	}
	xb_array_clear(&open);
}
