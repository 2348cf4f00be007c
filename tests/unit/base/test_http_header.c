/* SPDX-License-Identifier: Apache-2.0 */
/* What headers say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/http_header.h"

/* Headers from lines that are separated by '|'; the first error. */
static int read_lines(const char *lines, struct xb_strv *ret)
{
	struct xb_view rest = xb_view(lines), line;
	int r = 0;

	while (r == 0 && xb_view_split(&rest, '|', &line))
		r = xb_http_header_add(ret, line, NULL);
	return r;
}

static void lines_are_kept_as_name_and_value(void **state)
{
	xb_auto_strv struct xb_strv h = XB_STRV_INIT;

	(void)state;
	assert_int_equal(read_lines("Content-TYPE:  text/plain \r\n|X-Empty:\r\n|A: b: c|A:d", &h),
			 0);
	assert_string_equal(xb_http_header(&h, "content-type", 0), "text/plain");
	assert_string_equal(xb_http_header(&h, "x-empty", 0), "");
	assert_string_equal(xb_http_header(&h, "a", 0), "b: c");
	assert_string_equal(xb_http_header(&h, "a", 1), "d");
	assert_null(xb_http_header(&h, "a", 2));
	assert_null(xb_http_header(&h, "content", 0));
	assert_null(xb_http_header(&h, "Content-TYPE", 0));
}

static void a_line_may_be_continued(void **state)
{
	xb_auto_strv struct xb_strv h = XB_STRV_INIT;

	(void)state;
	assert_int_equal(read_lines("A: b\r\n| c\r\n|\td\r\n", &h), 0);
	assert_string_equal(xb_http_header(&h, "a", 0), "b c d");
	assert_int_equal(h.len, 1);
}

static void what_is_no_header_is_refused(void **state)
{
	static const char *const lines[] = {
		"",	      "A",	  ":",	     ": b",    "A b: c", "A\x7f: b", "A\xc3\xa4: b",
		" continued", "A: b\x01", "A: b\rc", "(A): b", "A : b",
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(lines); i++) {
		xb_auto_strv struct xb_strv h = XB_STRV_INIT;

		if (xb_http_header_add(&h, xb_view(lines[i]), NULL) != -EPROTO)
			fail_msg("taken: %s", lines[i]);
	}
	{
		xb_auto_strv struct xb_strv h = XB_STRV_INIT;

		assert_int_equal(xb_http_header_add(&h, XB_VIEW("A: b\0c"), NULL), -EPROTO);
		assert_int_equal(xb_http_header_add(&h, XB_VIEW("A\0b: c"), NULL), -EPROTO);
	}
}

static void lengths(void **state)
{
	static const struct {
		const char *lines;
		int r;
		uint64_t value;
	} cases[] = {
		{ "A: b", 0, 0 },
		{ "Content-Length: 0", 1, 0 },
		{ "Content-Length: 9223372036854775807", 1, INT64_MAX },
		{ "Content-Length: 9223372036854775808", -EPROTO, 0 },
		{ "Content-Length: 99999999999999999999999", -EPROTO, 0 },
		{ "Content-Length: ", -EPROTO, 0 },
		{ "Content-Length: -1", -EPROTO, 0 },
		{ "Content-Length: +1", -EPROTO, 0 },
		{ "Content-Length: 0x10", -EPROTO, 0 },
		{ "Content-Length: 5, 5", -EPROTO, 0 },
		{ "Content-Length: 5|content-length: 5", 1, 5 },
		{ "Content-Length: 5|content-length: 05", -EPROTO, 0 },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_strv struct xb_strv h = XB_STRV_INIT;
		uint64_t value = 0;
		int r;

		assert_int_equal(read_lines(cases[i].lines, &h), 0);
		r = xb_http_length(&h, &value, NULL);
		if (r != cases[i].r || (r > 0 && value != cases[i].value))
			fail_msg("%s: %d", cases[i].lines, r);
	}
}

static void ranges(void **state)
{
	static const struct {
		const char *value;
		int r;
		struct xb_http_range range;
	} cases[] = {
		{ "bytes 0-0/1", 1, { 0, 0, 1 } },
		{ "Bytes 4-9/10", 1, { 4, 9, 10 } },
		{ "bytes 4-9/*", 1, { 4, 9, UINT64_MAX } },
		{ "bytes */10", -EPROTO, { 0 } },
		{ "bytes 9-4/10", -EPROTO, { 0 } },
		{ "bytes 4-10/10", -EPROTO, { 0 } },
		{ "bytes 4-9", -EPROTO, { 0 } },
		{ "lines 4-9/10", -EPROTO, { 0 } },
		{ "bytes=4-9/10", -EPROTO, { 0 } },
		{ "bytes -4-9/10", -EPROTO, { 0 } },
		{ "bytes 4-9/10/11", -EPROTO, { 0 } },
		{ "bytes 0-99999999999999999999/*", -EPROTO, { 0 } },
		{ "", -EPROTO, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_strv struct xb_strv h = XB_STRV_INIT;
		xb_autofree char *line = xb_format("Content-Range: %s", cases[i].value);
		struct xb_http_range range = { 0 };
		int r;

		assert_int_equal(read_lines(line, &h), 0);
		r = xb_http_range(&h, &range, NULL);
		if (r != cases[i].r ||
		    (r > 0 && memcmp(&range, &cases[i].range, sizeof(range)) != 0))
			fail_msg("%s: %d", cases[i].value, r);
	}
}

static void dates(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds; /* -1: refused */
	} cases[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
		{ "Sun Nov  6 08:49:37 1994", 784111777 },
		{ " Sun, 06 Nov 1994 08:49:37 GMT ", 784111777 },
		{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
		{ "Tue, 19 Jan 2038 03:14:08 GMT", 2147483648 },
		{ "Thu, 29 Feb 2024 00:00:00 GMT", 1709164800 },
		{ "Wed, 29 Feb 2023 00:00:00 GMT", -1 },
		{ "Tue, 31 Apr 2024 00:00:00 GMT", -1 },
		{ "Sun, 06 Nov 1994 08:49:37 CET", -1 },
		{ "Sun, 06 Nov 1994 08:49:37 +0100", -1 },
		{ "Sun, 06 Nov 1994 08:49:37", -1 },
		{ "Sun, 06 Nov 1994 25:49:37 GMT", -1 },
		{ "1994-11-06T08:49:37Z", -1 },
		{ "784111777", -1 },
		{ "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		int64_t seconds = -1;
		int r = xb_http_date(xb_view(cases[i].text), &seconds);

		if (r != (cases[i].seconds < 0 ? -EINVAL : 0) ||
		    (r == 0 && seconds != cases[i].seconds))
			fail_msg("%s: %d, %lld", cases[i].text, r, (long long)seconds);
	}
}

static void pauses(void **state)
{
	static const struct {
		const char *lines;
		int64_t seconds;
	} cases[] = {
		{ "A: b", -1 },
		{ "Retry-After: 0", 0 },
		{ "Retry-After: 120", 120 },
		{ "Retry-After: soon", -1 },
		{ "Retry-After: -5", -1 },
		{ "Retry-After: Sun, 06 Nov 1994 08:49:47 GMT", 10 },
		{ "Retry-After: Sun, 06 Nov 1994 08:49:07 GMT", 0 },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_strv struct xb_strv h = XB_STRV_INIT;

		assert_int_equal(read_lines(cases[i].lines, &h), 0);
		assert_int_equal(xb_http_retry_after(&h, 784111777), cases[i].seconds);
	}
}

static void validators(void **state)
{
#define MODIFIED "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"
	static const struct {
		const char *lines;
		const char *validator;
	} cases[] = {
		{ "A: b", NULL },
		{ "ETag: \"x\"|" MODIFIED, "\"x\"" },
		{ "ETag: W/\"x\"", NULL },
		{ "ETag: x", NULL },
		{ MODIFIED, NULL },
		{ MODIFIED "|Date: Sun, 06 Nov 1994 08:49:37 GMT", NULL },
		{ MODIFIED "|Date: Sun, 06 Nov 1994 08:49:38 GMT",
		  "Sun, 06 Nov 1994 08:49:37 GMT" },
		{ "ETag: W/\"x\"|" MODIFIED "|Date: Sun, 06 Nov 1994 09:00:00 GMT",
		  "Sun, 06 Nov 1994 08:49:37 GMT" },
		{ "Last-Modified: today|Date: Sun, 06 Nov 1994 09:00:00 GMT", NULL },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_strv struct xb_strv h = XB_STRV_INIT;
		const char *validator;

		assert_int_equal(read_lines(cases[i].lines, &h), 0);
		validator = xb_http_validator(&h);
		if ((validator == NULL) != (cases[i].validator == NULL) ||
		    (validator != NULL && strcmp(validator, cases[i].validator) != 0))
			fail_msg("%s", cases[i].lines);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_kept_as_name_and_value),
		cmocka_unit_test(a_line_may_be_continued),
		cmocka_unit_test(what_is_no_header_is_refused),
		cmocka_unit_test(lengths),
		cmocka_unit_test(ranges),
		cmocka_unit_test(dates),
		cmocka_unit_test(pauses),
		cmocka_unit_test(validators),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
