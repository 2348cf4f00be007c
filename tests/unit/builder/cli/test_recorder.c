/* SPDX-License-Identifier: Apache-2.0 */
/* What the history gets of a build, by the events that the recorder heard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/json.h"
#include "builder/cache/history.h"
#include "builder/cli/recorder.h"
#include "tests/unit/builder/solve/build.h"

#define STEPS "FROM scratch\nWORKDIR /a\nWORKDIR /b\nWORKDIR /c\nWORKDIR /d\n"

/* A recorder of a plan that nobody carries out, and what it passes on. */
struct recording {
	struct build *b;
	struct xb_recorder *recorder;
	struct xb_observer observer;
	struct xb_build_request request;
	unsigned heard;
	unsigned failures;
	unsigned ticks;
};

static void hear(void *context, const struct xb_event *event)
{
	struct recording *r = context;

	(void)event;
	r->heard++;
}

static void hear_failure(void *context, size_t step, const struct xb_error *error)
{
	struct recording *r = context;

	(void)step;
	(void)error;
	r->failures++;
}

static void hear_tick(void *context)
{
	struct recording *r = context;

	r->ticks++;
}

static void begin(struct recording *r, struct build *b)
{
	const struct xb_observer next = { .context = r,
					  .event = hear,
					  .failed = hear_failure,
					  .tick = hear_tick,
					  .tick_ms = 250 };

	*r = (struct recording){ .b = b, .recorder = xb_recorder_new() };
	r->request.store = b->store;
	build_forget(b);
	if (build_plan(b, STEPS) < 0)
		fail_msg("planning: %s", b->err.message);
	assert_true(b->plan->step_count >= 4);
	r->observer = xb_recorder_watch(r->recorder, b->plan, &next);
}

static void tell(struct recording *r, enum xb_event_kind kind, size_t step, uint64_t time,
		 const char *text)
{
	xb_autofree char *copy = text != NULL ? xb_strdup(text) : NULL;
	const struct xb_event event = {
		.kind = kind, .step = step, .stream = 1, .time = time, .text = copy
	};

	r->observer.event(r->observer.context, &event);
}

static int keep_log(void *context, const struct xb_history_log *log)
{
	xb_strv_printf(context, "%zu %s", log->step, log->text);
	return 0;
}

/* End it; what the history says then, and the logs. */
static json_t *finish(struct recording *r, int status, const struct xb_error *failure,
		      struct xb_strv *logs)
{
	xb_auto_str struct xb_str what = XB_STR_INIT(XB_HISTORY_MAX_WHAT);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	char id[XB_HISTORY_ID_SIZE];
	json_t *object = NULL;

	if (xb_recorder_finish(r->recorder, &r->request, status, failure, &err) < 0)
		fail_msg("%s", err.message);
	xb_recorder_free(r->recorder);
	assert_int_equal(xb_history_find(r->b->store, "", id, &what, NULL), 0);
	assert_int_equal(xb_json_parse(xb_str_view(&what), XB_HISTORY_MAX_WHAT, &object, NULL), 0);
	assert_int_equal(xb_history_logs(r->b->store, id, keep_log, logs, NULL), 0);
	return object;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static const json_t *step_of(const json_t *object, size_t index)
{
	return json_array_get(json_object_get(object, "steps"), index);
}

static void what_became_of_each_step(void **state)
{
	static const char *const expected[] = { "done", "cached", "failed", "cancelled" };
	xb_auto_error struct xb_error failure = XB_ERROR_INIT;
	xb_auto_strv struct xb_strv logs = XB_STRV_INIT;
	xb_auto_json json_t *object = NULL;
	struct recording r;

	begin(&r, *state);
	tell(&r, XB_EVENT_STARTED, 0, 1000, NULL);
	tell(&r, XB_EVENT_OUTPUT, 0, 1500, "one");
	tell(&r, XB_EVENT_OUTPUT, 0, 1600, "two");
	tell(&r, XB_EVENT_DONE, 0, 4000, NULL);
	tell(&r, XB_EVENT_CACHED, 1, 4000, NULL);
	tell(&r, XB_EVENT_DONE, 1, 4001, NULL);
	tell(&r, XB_EVENT_STARTED, 2, 5000, NULL);
	tell(&r, XB_EVENT_WARNING, 2, 5500, "kept from the log");
	tell(&r, XB_EVENT_FAILED, 2, 6000, NULL);
	tell(&r, XB_EVENT_STARTED, 3, 5000, NULL);
	tell(&r, XB_EVENT_CANCELLED, 3, 6500, NULL);
	assert_int_equal(r.heard, 11);
	(void)xb_error_set(&failure, -EIO, "https://user:pass-word@host/x did not work");
	object = finish(&r, -EIO, &failure, &logs);
	assert_string_equal(text_of(object, "status"), "failed");
	assert_null(strstr(text_of(object, "error"), "pass-word"));
	assert_non_null(strstr(text_of(object, "error"), "host/x did not work"));
	for (size_t i = 0; i < XB_COUNT(expected); i++)
		assert_string_equal(text_of(step_of(object, i), "status"), expected[i]);
	assert_int_equal(json_integer_value(json_object_get(step_of(object, 0), "nanoseconds")),
			 3000);
	assert_int_equal(json_integer_value(json_object_get(step_of(object, 1), "nanoseconds")), 0);
	assert_int_equal(json_integer_value(json_object_get(object, "ran")), 3);
	assert_int_equal(json_integer_value(json_object_get(object, "cached")), 1);
	assert_int_equal(logs.len, 1);
	assert_string_equal(logs.items[0], "0 one\ntwo\n");
}

/* Only what was carried out to its end says how long it takes. */
static void durations_are_of_steps_that_ended_well(void **state)
{
	xb_auto_error struct xb_error failure = XB_ERROR_INIT;
	xb_auto_strv struct xb_strv logs = XB_STRV_INIT;
	xb_auto_json json_t *object = NULL;
	const struct xb_digest *steps[3];
	struct build *b = *state;
	struct recording r;
	uint64_t took[3];

	begin(&r, b);
	for (size_t i = 0; i < XB_COUNT(steps); i++) {
		steps[i] = &b->plan->steps[i].identity;
		tell(&r, XB_EVENT_STARTED, i, 1000, NULL);
	}
	tell(&r, XB_EVENT_DONE, 0, 1700, NULL);
	tell(&r, XB_EVENT_FAILED, 1, 1800, NULL);
	failure.fault = XB_FAULT_INTERRUPTED;
	object = finish(&r, -ECANCELED, &failure, &logs);
	assert_string_equal(text_of(object, "status"), "interrupted");
	assert_string_equal(text_of(step_of(object, 2), "status"), "running");
	assert_string_equal(text_of(step_of(object, 3), "status"), "not reached");
	assert_int_equal(xb_history_durations(b->store, steps, 3, took, NULL), 0);
	assert_int_equal(took[0], 700);
	assert_int_equal(took[1], 0);
	assert_int_equal(took[2], 0);
}

/* The end of much output is kept, in whole lines; a line without end is cut. */
static void logs_are_their_ends(void **state)
{
	xb_autofree char *endless = xb_alloc(4 * XB_RECORDER_LOG_BYTES);
	xb_auto_strv struct xb_strv logs = XB_STRV_INIT;
	xb_auto_json json_t *object = NULL;
	struct recording r;

	memset(endless, 'x', 4 * XB_RECORDER_LOG_BYTES - 1);
	endless[4 * XB_RECORDER_LOG_BYTES - 1] = '\0';
	begin(&r, *state);
	for (unsigned i = 0; i < 20000; i++) {
		char line[32];

		(void)snprintf(line, sizeof(line), "line %u", i);
		tell(&r, XB_EVENT_OUTPUT, 0, i, line);
	}
	for (unsigned i = 0; i < 5; i++)
		tell(&r, XB_EVENT_OUTPUT, 1, i, endless);
	tell(&r, XB_EVENT_OUTPUT, 1, 9, "the end");
	object = finish(&r, 0, NULL, &logs);
	assert_int_equal(logs.len, 2);
	assert_int_equal(strncmp(logs.items[0], "0 line ", 7), 0);
	assert_non_null(strstr(logs.items[0], "\nline 19999\n"));
	assert_true(strlen(logs.items[0]) > XB_RECORDER_LOG_BYTES / 2);
	assert_true(strlen(logs.items[0]) < XB_RECORDER_LOG_BYTES + 8);
	assert_non_null(strstr(logs.items[1], "\nthe end\n"));
	assert_true(strlen(logs.items[1]) < XB_RECORDER_LOG_BYTES + 8);
}

/* Whoever listens hears all of it, and is asked for no more than it can hear. */
static void what_is_heard_is_passed_on(void **state)
{
	xb_auto_strv struct xb_strv logs = XB_STRV_INIT;
	const struct xb_observer deaf = { 0 };
	xb_auto_json json_t *object = NULL;
	struct xb_recorder *other = xb_recorder_new();
	struct xb_observer watching;
	struct recording r;

	begin(&r, *state);
	r.observer.failed(r.observer.context, 1, NULL);
	r.observer.tick(r.observer.context);
	r.observer.tick(r.observer.context);
	assert_int_equal(r.observer.tick_ms, 250);
	assert_int_equal(r.failures, 1);
	assert_int_equal(r.ticks, 2);
	watching = xb_recorder_watch(other, r.b->plan, &deaf);
	assert_null(watching.failed);
	assert_null(watching.tick);
	watching.event(watching.context, &(struct xb_event){ .kind = XB_EVENT_STARTED });
	xb_recorder_free(other);
	object = finish(&r, 0, NULL, &logs);
	assert_string_equal(text_of(object, "status"), "done");
}

/* What ended before there was a plan, or a store. */
static void a_build_without_a_plan(void **state)
{
	xb_auto_strv struct xb_strv logs = XB_STRV_INIT;
	xb_auto_error struct xb_error failure = XB_ERROR_INIT;
	xb_auto_json json_t *object = NULL;
	struct recording r = { .b = *state, .recorder = xb_recorder_new() };
	struct xb_recorder *without = xb_recorder_new();

	assert_int_equal(xb_recorder_finish(without, &r.request, 0, NULL, NULL), 0);
	xb_recorder_free(without);
	r.request.store = r.b->store;
	(void)xb_error_set(&failure, -EINVAL, "Dockerfile:1: no");
	object = finish(&r, -EINVAL, &failure, &logs);
	assert_string_equal(text_of(object, "error"), "Dockerfile:1: no");
	assert_int_equal(json_array_size(json_object_get(object, "steps")), 0);
	assert_int_equal(logs.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		build_test(what_became_of_each_step),
		build_test(durations_are_of_steps_that_ended_well),
		build_test(logs_are_their_ends),
		build_test(what_is_heard_is_passed_on),
		build_test(a_build_without_a_plan),
	};

	build_become_root();
	return cmocka_run_group_tests_name("builder/cli recorder", tests, NULL, NULL);
}
