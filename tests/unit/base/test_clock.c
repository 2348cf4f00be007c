/* SPDX-License-Identifier: Apache-2.0 */
/* Times as OCI documents hold them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/clock.h"

static const struct reading {
	const char *text;
	int64_t seconds;
} readings[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "1969-12-31T23:59:59Z", -1 },
	{ "2024-02-29T12:34:56Z", 1709210096 },
	{ "2024-02-29T12:34:56.123456789Z", 1709210096 },
	{ "2024-02-29t12:34:56z", 1709210096 },
	{ "2024-02-29T14:34:56+02:00", 1709210096 },
	{ "2024-02-29T07:04:56-05:30", 1709210096 },
	{ "2016-12-31T23:59:60Z", 1483228800 },
	{ "2038-01-19T03:14:08Z", 2147483648 },
	{ "9999-12-31T23:59:59Z", 253402300799 },
	{ "0000-01-01T00:00:00Z", -62167219200 },
	{ "2000-02-29T00:00:00Z", 951782400 },
};

static const char *const refused[] = {
	"",
	"2024",
	"2024-02-30T00:00:00Z",
	"2023-02-29T00:00:00Z",
	"1900-02-29T00:00:00Z",
	"2024-00-01T00:00:00Z",
	"2024-13-01T00:00:00Z",
	"2024-01-00T00:00:00Z",
	"2024-01-01T24:00:00Z",
	"2024-01-01T00:60:00Z",
	"2024-01-01T00:00:61Z",
	"2024-01-01T00:00:00",
	"2024-01-01T00:00:00.Z",
	"2024-01-01T00:00:00ZZ",
	"2024-01-01T00:00:00+0100",
	"2024-01-01T00:00:00+24:00",
	"2024-01-01T00:00:00+01:60",
	"2024-01-01T00:00:00+01:00x",
	"2024-1-1T00:00:00Z",
	"+024-01-01T00:00:00Z",
	" 2024-01-01T00:00:00Z",
};

static void valid_times_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(readings); i++) {
		int64_t seconds = 1;

		if (xb_clock_parse(xb_view(readings[i].text), &seconds, NULL) != 0 ||
		    seconds != readings[i].seconds)
			fail_msg("%s gives %lld", readings[i].text, (long long)seconds);
	}
}

static void others_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(refused); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		int64_t seconds = 7;

		if (xb_clock_parse(xb_view(refused[i]), &seconds, &err) != -EINVAL)
			fail_msg("%s is taken", refused[i]);
		assert_int_equal(seconds, 7);
		assert_non_null(strstr(err.message, refused[i]));
	}
}

static void what_is_written_reads_as_the_same(void **state)
{
	(void)state;
	for (int64_t t = -62167219200; t <= 253402300799; t += 86400 * 29 + 3607) {
		xb_auto_str struct xb_str s = XB_STR_INIT(20);
		int64_t again = t + 1;

		assert_int_equal(xb_clock_format(t, &s), 0);
		assert_int_equal(xb_clock_parse(xb_str_view(&s), &again, NULL), 0);
		assert_int_equal(again, t);
	}
}

static void years_of_five_digits_are_not_written(void **state)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(100);

	(void)state;
	assert_int_equal(xb_clock_format(253402300800, &s), -ERANGE);
	assert_int_equal(xb_clock_format(INT64_MAX, &s), -ERANGE);
	assert_int_equal(xb_clock_format(INT64_MIN, &s), -ERANGE);
	assert_int_equal(s.len, 0);
}

static void time_goes_on(void **state)
{
	uint64_t before = xb_clock_monotonic();

	(void)state;
	assert_true(xb_clock_now() > 1700000000);
	assert_true(xb_clock_monotonic() >= before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_times_are_read),
		cmocka_unit_test(others_are_refused),
		cmocka_unit_test(what_is_written_reads_as_the_same),
		cmocka_unit_test(years_of_five_digits_are_not_written),
		cmocka_unit_test(time_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
