/* SPDX-License-Identifier: Apache-2.0 */
/* What the scheduler itself recalls of steps that are done, and what it leaves to workers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "builder/solve/step.h"
#include "tests/unit/builder/solve/build.h"

#define SH   "SHELL [\"/busybox\", \"sh\", \"-c\"]\n"
#define BASE "FROM scratch\nCOPY busybox /\n" SH

/* The scheduler's place: a plan, results as they come, and events. */
struct recaller {
	struct xb_step_shared shared;
	struct xb_result *results;
	struct xb_record *records;
	unsigned char *uses;
};

static void recaller_begin(struct recaller *c, struct build *b, const char *text)
{
	build_forget(b);
	if (build_plan(b, text) < 0)
		fail_msg("planning: %s", b->err.message);
	*c = (struct recaller){ .results = xb_calloc(b->plan->step_count, sizeof(*c->results)),
				.records = xb_calloc(b->plan->step_count, sizeof(*c->records)),
				.uses = xb_calloc(b->plan->step_count, 1) };
	c->shared.plan = b->plan;
	c->shared.store = b->store;
	c->shared.sources = b->sources;
	c->shared.context = b->context;
	c->shared.strategy = &b->strategy;
	c->shared.hosts = &b->hosts;
	c->shared.secrets = &b->secrets;
	c->shared.epoch = b->epoch;
	c->shared.uses = c->uses;
	c->shared.cancel_fd = -1;
	assert_int_equal(xb_events_new(&c->shared.events, NULL), 0);
}

static void recaller_clear(struct recaller *c)
{
	for (size_t i = 0; i < c->shared.plan->step_count; i++)
		xb_result_clear(&c->results[i]);
	free(c->results);
	free(c->records);
	free(c->uses);
	xb_events_free(c->shared.events);
}

static const struct xb_result **inputs_of(const struct recaller *c, size_t index)
{
	const struct xb_step *step = &c->shared.plan->steps[index];
	const struct xb_result **inputs = xb_calloc(xb_step_input_count(step), sizeof(*inputs));

	for (size_t i = 0; i < xb_step_input_count(step); i++) {
		size_t input = xb_step_input(step, i);

		inputs[i] = input == XB_STEP_NONE ? NULL : &c->results[input];
	}
	return inputs;
}

static bool recall(struct recaller *c, size_t index)
{
	xb_autofree const struct xb_result **inputs = inputs_of(c, index);

	return xb_step_recall(&c->shared, index, inputs, &c->results[index], &c->records[index]);
}

/* What only a worker finds: the step is cached, and asked for as a worker asks. */
static void carry_out(struct recaller *c, size_t index)
{
	xb_autofree const struct xb_result **inputs = inputs_of(c, index);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_step_carry_out(&c->shared, index, inputs, &c->results[index], &c->records[index],
			      &err) < 0)
		fail_msg("%s", err.message);
	assert_true(c->results[index].cached);
}

/* Take all events; how many say that this step was there, -1 where others came as well. */
static int told_of(struct recaller *c, size_t index)
{
	struct xb_event event = { 0 };
	int cached = 0;

	while (xb_events_take(c->shared.events, &event)) {
		bool other = event.kind != XB_EVENT_CACHED || event.step != index;

		cached = other || cached < 0 ? -1 : cached + 1;
		xb_event_clear(&event);
	}
	return cached;
}

static void assert_not_recalled(struct recaller *c, size_t index)
{
	assert_false(recall(c, index));
	assert_int_equal(c->results[index].layers.len, 0);
	assert_int_equal(told_of(c, index), 0);
}

/* The number of the plan's only step of a kind. */
static size_t step_of(const struct recaller *c, enum xb_step_kind kind, size_t from)
{
	for (size_t i = from; i < c->shared.plan->step_count; i++) {
		if (c->shared.plan->steps[i].kind == kind)
			return i;
	}
	fail_msg("no step of the kind %d", (int)kind);
	return 0;
}

static void steps_that_depend_on_the_plan_alone(void **state)
{
	static const char text[] = BASE "WORKDIR /w\nRUN echo x >y\nRUN cat y\n";
	struct build *b = *state;
	xb_autofree char *chain = NULL;
	struct recaller c;
	size_t last;

	build(b, text);
	chain = xb_strdup(xb_result_chain(build_result(b))->text);
	recaller_begin(&c, b, text);
	/* a copy has to look at the context */
	assert_not_recalled(&c, step_of(&c, XB_STEP_COPY, 0));
	carry_out(&c, step_of(&c, XB_STEP_COPY, 0));
	(void)told_of(&c, 0);
	for (size_t i = step_of(&c, XB_STEP_WORKDIR, 0); i < c.shared.plan->step_count; i++) {
		assert_true(recall(&c, i));
		assert_int_equal(told_of(&c, i), 1);
		assert_true(c.results[i].cached);
		assert_string_equal(
			c.records[i].diff_id.text,
			c.results[i].layers.items[c.results[i].layers.len - 1].diff_id.text);
	}
	last = b->plan->targets[0].step;
	assert_int_equal(c.results[last].layers.len, 4);
	assert_string_equal(xb_result_chain(&c.results[last])->text, chain);
	recaller_clear(&c);
}

/* `text` has a single RUN, which was not done, or may not be taken from the store, or needs a look.
 */
static void assert_run_not_recalled(struct build *b, const char *text, bool no_cache)
{
	struct recaller c;
	size_t run;

	recaller_begin(&c, b, text);
	c.shared.no_cache = false;
	carry_out(&c, step_of(&c, XB_STEP_COPY, 0));
	(void)told_of(&c, 0);
	c.shared.no_cache = no_cache;
	run = step_of(&c, XB_STEP_RUN, 0);
	assert_not_recalled(&c, run);
	recaller_clear(&c);
}

static void what_is_left_to_workers(void **state)
{
	struct build *b = *state;

	build(b, BASE "RUN echo x >y\n");
	build(b, BASE "RUN --mount=type=cache,target=/c echo x >z\n");
	assert_run_not_recalled(b, BASE "RUN echo other >y\n", false);
	assert_run_not_recalled(b, BASE "RUN echo x >y\n", true);
	/* done, but what is mounted is in its key */
	assert_run_not_recalled(b, BASE "RUN --mount=type=cache,target=/c echo x >z\n", false);
	/* the same on another tree */
	b->epoch = 1;
	build(b, BASE);
	assert_run_not_recalled(b, BASE "RUN echo x >y\n", false);
}

/* A record whose tree is gone is none: the step is carried out again. */
static void a_result_that_is_gone(void **state)
{
	static const char text[] = BASE "RUN echo x >y\n";
	struct build *b = *state;
	const struct xb_result *result;
	xb_autofree char *snapshot = NULL;

	build(b, text);
	result = build_result(b);
	snapshot = xb_format("store/snapshots/%s",
			     result->layers.items[result->layers.len - 1].snapshot.id);
	assert_int_equal(scratch_run((const char *[]){ "rm", "-rf", scratch_path(snapshot), NULL }),
			 0);
	assert_run_not_recalled(b, text, false);
	build(b, text);
	assert_int_equal(b->ran, 1);
	assert_int_equal(b->cached, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		build_test(steps_that_depend_on_the_plan_alone),
		build_test(what_is_left_to_workers),
		build_test(a_result_that_is_gone),
	};

	build_become_root();
	return cmocka_run_group_tests_name("builder/solve recall", tests, NULL, NULL);
}
