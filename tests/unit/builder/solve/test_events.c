/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of events: nothing lost, nothing twice, in each thread's order. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "builder/solve/events.h"

#define THREADS 8
#define EVENTS	5000
#define WAIT_MS 120000

static struct xb_events *new_events(void)
{
	struct xb_events *events = NULL;

	assert_int_equal(xb_events_new(&events, NULL), 0);
	return events;
}

static bool readable(const struct xb_events *events, int timeout)
{
	struct pollfd fd = { .fd = xb_events_fd(events), .events = POLLIN };

	return poll(&fd, 1, timeout) == 1;
}

static void test_one_thread(void **state)
{
	xb_auto_events struct xb_events *events = new_events();
	struct xb_event event = { 0 };

	(void)state;
	assert_false(readable(events, 0));
	assert_false(xb_events_take(events, &event));
	xb_events_post(events, XB_EVENT_STARTED, 3, 0, xb_view(NULL));
	xb_events_post(events, XB_EVENT_OUTPUT, 3, 2, xb_view("line"));
	xb_events_post(events, XB_EVENT_OUTPUT, 3, 1, XB_VIEW(""));
	assert_true(readable(events, 0));

	assert_true(xb_events_take(events, &event));
	assert_int_equal(event.kind, XB_EVENT_STARTED);
	assert_int_equal(event.step, 3);
	assert_null(event.text);
	xb_event_clear(&event);
	assert_true(xb_events_take(events, &event));
	assert_int_equal(event.stream, 2);
	assert_string_equal(event.text, "line");
	xb_event_clear(&event);
	xb_event_clear(&event);
	assert_true(xb_events_take(events, &event));
	/* an empty line is a line */
	assert_string_equal(event.text, "");
	xb_event_clear(&event);
	assert_false(xb_events_take(events, &event));
	assert_false(readable(events, 0));

	xb_events_post(events, XB_EVENT_DONE, 1, 0, xb_view(NULL));
	assert_true(readable(events, 0));
}

/* The text is a copy, and what is not taken is released. */
static void test_text_is_copied(void **state)
{
	xb_auto_events struct xb_events *events = new_events();
	char text[] = "before";
	struct xb_event event = { 0 };

	(void)state;
	xb_events_post(events, XB_EVENT_WARNING, 0, 0, xb_view(text));
	memcpy(text, "behind", sizeof(text));
	xb_events_post(events, XB_EVENT_WARNING, 0, 0, xb_view(text));
	assert_true(xb_events_take(events, &event));
	assert_string_equal(event.text, "before");
	xb_event_clear(&event);
}

struct poster {
	struct xb_events *events;
	size_t number;
};

static void *post(void *context)
{
	const struct poster *p = context;

	for (int i = 0; i < EVENTS; i++) {
		xb_autofree char *text = xb_format("%d", i);

		xb_events_post(p->events, XB_EVENT_OUTPUT, p->number, 1, xb_view(text));
	}
	return NULL;
}

static void test_many_threads(void **state)
{
	xb_auto_events struct xb_events *events = new_events();
	struct poster posters[THREADS];
	pthread_t threads[THREADS];
	int next[THREADS] = { 0 };
	uint64_t last[THREADS] = { 0 };
	size_t taken = 0;
	struct xb_event event;

	(void)state;
	for (size_t i = 0; i < THREADS; i++) {
		posters[i] = (struct poster){ events, i };
		assert_int_equal(pthread_create(&threads[i], NULL, post, &posters[i]), 0);
	}
	while (taken < (size_t)THREADS * EVENTS) {
		/* a wake-up that got lost would hang here */
		assert_true(readable(events, WAIT_MS));
		while (xb_events_take(events, &event)) {
			assert_int_equal(atoi(event.text), next[event.step]++);
			assert_true(event.time >= last[event.step]);
			last[event.step] = event.time;
			xb_event_clear(&event);
			taken++;
		}
	}
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_false(xb_events_take(events, &event));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_thread),
		cmocka_unit_test(test_text_is_copied),
		cmocka_unit_test(test_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
