/* SPDX-License-Identifier: Apache-2.0 */
/**
 * In which order steps are best begun, and what depends on what: made of a plan before anything
 * runs, in time and memory linear in its steps and their inputs.
 */
#ifndef XB_BUILDER_SOLVE_ORDER_H
#define XB_BUILDER_SOLVE_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "builder/plan/plan.h"

/** What the scheduler has to know of each step; arrays by index in the plan. `{ 0 }` is empty. */
struct xb_order {
	size_t len;
	/** The steps that read the tree of step `i` are dependents[first[i]] to
	 * dependents[first[i + 1] - 1]: a step as often as it reads it, in the plan's order. */
	size_t *first;
	size_t *dependents;
	size_t *waits_for; /**< how many trees of other steps a step reads */
	/** Nanoseconds from the step's beginning to the end of the longest chain of steps that
	 * stand on it, as far as that is known. */
	uint64_t *path;
	bool *required; /**< a target that must not fail needs it */
};

/**
 * Make the order of a plan. `optional` says of each target whether it may fail; NULL: none may.
 * `durations` says of each step how many nanoseconds it took the last time, 0: not known; NULL:
 * nothing is known of any.
 */
void xb_order_make(const struct xb_plan *plan, const bool *optional, const uint64_t *durations,
		   struct xb_order *ret);
/** Release. */
void xb_order_clear(struct xb_order *order);

#define xb_auto_order XB_CLEANUP(xb_order_clear)

/**
 * Mark in `lost` (by step) all that needs step `index`, directly or not, and was not marked before;
 * the step itself is left alone. Calls `visit` for each. The time it takes is that of what it
 * marks.
 */
void xb_order_lose(const struct xb_order *order, size_t index, bool *lost,
		   void (*visit)(void *context, size_t step), void *context);

#endif
