/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/size.h"

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
	} good[] = {
		{ "0", 0 },
		{ "134217728", 134217728 },
		{ "32b", 32 },
		{ "32B", 32 },
		{ "1k", 1024 },
		{ "1K", 1024 },
		{ "64mb", 64 << 20 },
		{ "64MiB", 64 << 20 },
		{ "1.5g", UINT64_C(3) << 29 },
		{ "512 kb", 512 << 10 },
		{ "2T", UINT64_C(2) << 40 },
		{ "1p", UINT64_C(1) << 50 },
	};
	static const char *const bad[] = { "",	    "m",    "-1",  "1x",    "1bb",   "1kbb", "1ki",
					   "1.2.3", "0x10", "1e3", "8192p", "1 m b", "inf",  "+1" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(good); i++) {
		uint64_t size = 1;

		if (xb_size_parse(xb_view(good[i].text), &size) < 0 || size != good[i].size)
			fail_msg("%s", good[i].text);
	}
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		uint64_t size = 7;

		if (xb_size_parse(xb_view(bad[i]), &size) != -EINVAL || size != 7)
			fail_msg("%s", bad[i]);
	}
}

static void test_printing_is_the_reverse(void **state)
{
	static const struct {
		uint64_t size;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 1, "1" },
		{ 1023, "1023" },
		{ 1024, "1K" },
		{ 1536, "1536" },
		{ 100 << 20, "100M" },
		{ 1 << 30, "1G" },
		{ UINT64_C(3) << 50, "3P" },
		{ UINT64_C(1) << 62, "4096P" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
		uint64_t back;

		xb_size_print(cases[i].size, &text);
		assert_string_equal(xb_str_text(&text), cases[i].text);
		assert_int_equal(xb_size_parse(xb_str_view(&text), &back), 0);
		assert_true(back == cases[i].size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_printing_is_the_reverse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
