/* SPDX-License-Identifier: Apache-2.0 */
/* The flag that a signal sets while nobody looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "builder/cli/stop.h"

static int event; /* stands for the signals' descriptor */

static void signal_it(void)
{
	const uint64_t one = 1;

	assert_int_equal(write(event, &one, sizeof(one)), sizeof(one));
}

static void test_set(void **state)
{
	xb_auto_stop struct xb_stop *stop = xb_stop_new(event);
	struct pollfd still = { .fd = event, .events = POLLIN };

	(void)state;
	assert_false(atomic_load(xb_stop_flag(stop)));
	signal_it();
	while (!atomic_load(xb_stop_flag(stop)))
		(void)poll(NULL, 0, 1);
	/* others that wait for it see it, too */
	assert_int_equal(poll(&still, 1, 0), 1);
}

/* A watch that was begun afterwards finds it. */
static void test_set_before(void **state)
{
	xb_auto_stop struct xb_stop *stop = NULL;

	(void)state;
	signal_it();
	stop = xb_stop_new(event);
	while (!atomic_load(xb_stop_flag(stop)))
		(void)poll(NULL, 0, 1);
}

/* Without a signal it ends as soon as it is to, and nothing is set. */
static void test_not_set(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		xb_auto_stop struct xb_stop *stop = xb_stop_new(event);

		assert_false(atomic_load(xb_stop_flag(stop)));
	}
	xb_stop_free(NULL);
}

static int setup(void **state)
{
	(void)state;
	event = eventfd(0, EFD_CLOEXEC);
	return event < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	return close(event);
}

#define with_event(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_event(test_set),
		with_event(test_set_before),
		with_event(test_not_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
