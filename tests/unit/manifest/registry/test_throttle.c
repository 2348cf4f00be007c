/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "manifest/registry/throttle.h"

#define MS UINT64_C(1000000)

static void nobody_waits_at_first(void **state)
{
	xb_auto_throttle struct xb_throttle *t = xb_throttle_new(100);

	(void)state;
	assert_int_equal(xb_throttle_ask(t, "a", 0), 0);
	xb_throttle_tell(t, "a", 200, -1, 0);
	assert_int_equal(xb_throttle_ask(t, "a", 0), 0);
}

static void who_is_told_keeps_an_interval(void **state)
{
	xb_auto_throttle struct xb_throttle *t = xb_throttle_new(100);

	(void)state;
	xb_throttle_tell(t, "a", 429, -1, 0);
	/* one behind the other, whichever thread asks */
	assert_int_equal(xb_throttle_ask(t, "a", 0), 100 * MS);
	assert_int_equal(xb_throttle_ask(t, "a", 0), 200 * MS);
	/* others are not concerned */
	assert_int_equal(xb_throttle_ask(t, "b", 0), 0);
}

static void intervals_grow_and_shrink(void **state)
{
	xb_auto_throttle struct xb_throttle *t = xb_throttle_new(100);

	(void)state;
	xb_throttle_tell(t, "a", 429, -1, 0);
	/* of the same wave: it counts once */
	xb_throttle_tell(t, "a", 429, -1, 50 * MS);
	assert_int_equal(xb_throttle_ask(t, "a", 1000 * MS), 0);
	assert_int_equal(xb_throttle_ask(t, "a", 1000 * MS), 100 * MS);
	for (uint64_t i = 1; i < 10; i++)
		xb_throttle_tell(t, "a", 429, -1, i * 10000 * MS);
	(void)xb_throttle_ask(t, "a", 200000 * MS);
	assert_int_equal(xb_throttle_ask(t, "a", 200000 * MS), 1600 * MS);
	for (int i = 0; i < 20; i++)
		xb_throttle_tell(t, "a", 200, -1, 300000 * MS);
	(void)xb_throttle_ask(t, "a", 300000 * MS);
	assert_int_equal(xb_throttle_ask(t, "a", 300000 * MS), 0);
}

static void retry_after_holds_all_back(void **state)
{
	xb_auto_throttle struct xb_throttle *t = xb_throttle_new(100);

	(void)state;
	xb_throttle_tell(t, "a", 429, 7, 0);
	assert_int_equal(xb_throttle_ask(t, "a", 0), 7000 * MS);
	/* a fault of the server says nothing about speed */
	xb_throttle_tell(t, "b", 503, -1, 0);
	assert_int_equal(xb_throttle_ask(t, "b", 0), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_waits_at_first),
		cmocka_unit_test(who_is_told_keeps_an_interval),
		cmocka_unit_test(intervals_grow_and_shrink),
		cmocka_unit_test(retry_after_holds_all_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
