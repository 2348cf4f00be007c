/* SPDX-License-Identifier: Apache-2.0 */
/* The order of steps: what depends on what, which step is urgent, what is lost with a failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/str.h"
#include "builder/solve/order.h"

#define MS 1000000ULL

/* Steps whose names are the first bytes of their identities. */
static struct xb_step copy_of(const char *name, size_t parent, size_t from)
{
	struct xb_step step = { .kind = XB_STEP_COPY, .parent = parent };

	step.copy.origin = from == XB_STEP_NONE ? XB_COPY_CONTEXT : XB_COPY_STEP;
	step.copy.from = from;
	(void)snprintf(step.identity.text, sizeof(step.identity.text), "%s", name);
	return step;
}

/*
 *   a <- b <- d     d also copies from c, and twice from b
 *   a <- c
 *   e               nobody's
 */
static struct xb_step diamond[5];
static struct xb_plan_target targets[2] = { { .step = 3 }, { .step = 4 } };
static struct xb_plan plan = { .steps = diamond, .targets = targets, .target_count = 2 };

static void draw(void)
{
	diamond[0] = copy_of("a", XB_STEP_NONE, XB_STEP_NONE);
	diamond[1] = copy_of("b", 0, XB_STEP_NONE);
	diamond[2] = copy_of("c", 0, XB_STEP_NONE);
	diamond[3] = copy_of("d", 1, 2);
	diamond[4] = copy_of("e", XB_STEP_NONE, XB_STEP_NONE);
	plan.step_count = XB_COUNT(diamond);
}

static void dependents_are_those_who_read(void **state)
{
	xb_auto_order struct xb_order order = { 0 };

	(void)state;
	draw();
	diamond[3].copy.from = 1;
	xb_order_make(&plan, NULL, NULL, &order);
	assert_int_equal(order.waits_for[0], 0);
	assert_int_equal(order.waits_for[1], 1);
	/* who reads a tree twice waits for it twice, and is released twice */
	assert_int_equal(order.waits_for[3], 2);
	assert_int_equal(order.first[1] - order.first[0], 2);
	assert_int_equal(order.dependents[order.first[0]], 1);
	assert_int_equal(order.dependents[order.first[0] + 1], 2);
	assert_int_equal(order.first[2] - order.first[1], 2);
	assert_int_equal(order.dependents[order.first[1]], 3);
	assert_int_equal(order.dependents[order.first[1] + 1], 3);
	assert_int_equal(order.first[5], order.first[4]);
}

static void the_longest_path_is_the_most_urgent(void **state)
{
	static const uint64_t durations[] = { 1 * MS, 10 * MS, 100 * MS, 1000 * MS, 0 };
	xb_auto_order struct xb_order order = { 0 };

	(void)state;
	draw();
	xb_order_make(&plan, NULL, durations, &order);
	assert_int_equal(order.path[3], 1000 * MS);
	assert_int_equal(order.path[2], 1100 * MS);
	assert_int_equal(order.path[1], 1010 * MS);
	assert_int_equal(order.path[0], 1101 * MS);
	/* what is not known counts as something */
	assert_true(order.path[4] > 0);
}

static void emulated_commands_come_first(void **state)
{
	struct xb_step steps[] = {
		{ .kind = XB_STEP_RUN, .parent = XB_STEP_NONE, .strategy = XB_STRATEGY_NATIVE },
		{ .kind = XB_STEP_RUN, .parent = XB_STEP_NONE, .strategy = XB_STRATEGY_EMULATED },
		{ .kind = XB_STEP_WORKDIR, .parent = XB_STEP_NONE },
	};
	const struct xb_plan runs = { .steps = steps, .step_count = XB_COUNT(steps) };
	xb_auto_order struct xb_order order = { 0 };

	(void)state;
	xb_order_make(&runs, NULL, NULL, &order);
	assert_true(order.path[1] > order.path[0]);
	assert_true(order.path[0] > order.path[2]);
}

static void only_optional_targets_need(void **state)
{
	static const bool first[] = { true, false };
	static const bool second[] = { false, true };
	xb_auto_order struct xb_order order = { 0 };

	(void)state;
	draw();
	xb_order_make(&plan, first, NULL, &order);
	for (size_t i = 0; i < 4; i++)
		assert_false(order.required[i]);
	assert_true(order.required[4]);
	xb_order_clear(&order);
	xb_order_make(&plan, second, NULL, &order);
	for (size_t i = 0; i < 4; i++)
		assert_true(order.required[i]);
	assert_false(order.required[4]);
	/* a step that both need is required */
	xb_order_clear(&order);
	diamond[4].parent = 0;
	xb_order_make(&plan, first, NULL, &order);
	assert_true(order.required[0]);
	assert_false(order.required[1]);
}

static void count(void *context, size_t step)
{
	assert_true(step < XB_COUNT(diamond));
	(*(size_t *)context)++;
}

static void what_is_lost(void **state)
{
	bool lost[XB_COUNT(diamond)] = { false };
	xb_auto_order struct xb_order order = { 0 };
	size_t told = 0;

	(void)state;
	draw();
	xb_order_make(&plan, NULL, NULL, &order);
	xb_order_lose(&order, 2, lost, count, &told);
	assert_true(lost[3]);
	assert_false(lost[0] || lost[1] || lost[2] || lost[4]);
	assert_int_equal(told, 1);
	/* each is told once */
	xb_order_lose(&order, 0, lost, count, &told);
	assert_true(lost[1] && lost[2] && lost[3]);
	assert_int_equal(told, 3);
}

static void forget(void *context, size_t step)
{
	(void)step;
	(*(size_t *)context)++;
}

/* CPU nanoseconds for a plan of `len` steps: half read one step, the others stand in chains. */
static uint64_t cost(size_t len)
{
	xb_autofree struct xb_step *steps = xb_calloc(len, sizeof(*steps));
	xb_autofree bool *lost = xb_calloc(len, sizeof(*lost));
	struct xb_plan_target last = { .step = len - 1 };
	const struct xb_plan large = {
		.steps = steps, .step_count = len, .targets = &last, .target_count = 1
	};
	xb_auto_order struct xb_order order = { 0 };
	struct timespec begin, end;
	size_t told = 0;

	for (size_t i = 0; i < len; i++)
		steps[i] = copy_of("x", i > 0 ? i - 1 : XB_STEP_NONE, i > 0 ? 0 : XB_STEP_NONE);
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	xb_order_make(&large, NULL, NULL, &order);
	xb_order_lose(&order, 0, lost, forget, &told);
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	assert_int_equal(told, len - 1);
	return (uint64_t)(end.tv_sec - begin.tv_sec) * 1000 * MS +
	       (uint64_t)(end.tv_nsec - begin.tv_nsec);
}

/* CPU nanoseconds for `times` plans of `len` steps. */
static uint64_t cost_of(unsigned times, size_t len)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < times; i++)
		sum += cost(len);
	return sum;
}

/* A plan of a hundred times as many steps costs as much as a hundred plans, and not a hundred times
 * that. Both sides take as long, and other work on the machine slows both down. */
static void the_cost_is_linear(void **state)
{
	uint64_t few = UINT64_MAX, many = UINT64_MAX;

	(void)state;
	for (int i = 0; i < 9 && (i == 0 || many / few >= 20); i++) {
		uint64_t a = cost_of(100, 1000), b = cost_of(1, 100000);

		few = a < few ? a : few;
		many = b < many ? b : many;
	}
	print_message("100 x 1000 steps: %llu us, 100000 steps: %llu us\n",
		      (unsigned long long)(few / 1000), (unsigned long long)(many / 1000));
	assert_true(many / few < 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dependents_are_those_who_read),
		cmocka_unit_test(the_longest_path_is_the_most_urgent),
		cmocka_unit_test(emulated_commands_come_first),
		cmocka_unit_test(only_optional_targets_need),
		cmocka_unit_test(what_is_lost),
		cmocka_unit_test(the_cost_is_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
