/* SPDX-License-Identifier: Apache-2.0 */
/* --filter of `xbuild cache`, and --cache-limit. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "builder/cache/limit.h"
#include "builder/cache/prune.h"
#include "builder/cli/cache_filter.h"
#include "builder/cli/cache_limit.h"

static int read_word(const char *word, struct xb_cache_filter *ret, struct xb_error *err)
{
	xb_auto_strv struct xb_strv words = XB_STRV_INIT;

	xb_strv_push(&words, word);
	return xb_cache_filter_read(&words, ret, err);
}

static void durations_are_read(void **state)
{
	static const struct {
		const char *word;
		int64_t seconds;
	} rows[] = {
		{ "until=90", 90 },	      { "until=24h", 86400 },
		{ "unused-for=1h30m", 5400 }, { "unused-for=7d", 7 * 86400 },
		{ "until=2w", 1209600 },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		xb_auto_cache_filter struct xb_cache_filter filter = { 0 };

		assert_int_equal(read_word(rows[i].word, &filter, NULL), 0);
		assert_int_equal(filter.unused_for, rows[i].seconds);
	}
}

static void kinds_and_ids_are_read(void **state)
{
	xb_auto_cache_filter struct xb_cache_filter filter = { 0 };

	(void)state;
	assert_int_equal(read_word("type=exec.cachemount", &filter, NULL), 0);
	assert_int_equal(read_word("type==blob", &filter, NULL), 0);
	assert_int_equal(read_word("id=abc", &filter, NULL), 0);
	assert_int_equal(filter.kinds, XB_PRUNE_KIND(XB_ITEM_CACHE) | XB_PRUNE_KIND(XB_ITEM_BLOB));
	assert_string_equal(filter.ids.items[0], "abc");
}

static void anything_else_is_a_fault_of_usage(void **state)
{
	static const char *const words[] = { "until=",
					     "until=soon",
					     "until=1h30",
					     "until=-1h",
					     "until=1e9",
					     "type=",
					     "type=thing",
					     "id=",
					     "label=x",
					     "",
					     "until=99999999999999999999d" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(words); i++) {
		xb_auto_cache_filter struct xb_cache_filter filter = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (read_word(words[i], &filter, &err) != -EINVAL)
			fail_msg("%s was taken", words[i]);
		assert_int_equal(err.fault, XB_FAULT_USAGE);
		assert_non_null(err.hint);
	}
}

static void limits_are_read(void **state)
{
	uint64_t limit = 1;

	(void)state;
	assert_int_equal(unsetenv("XBUILD_CACHE_LIMIT"), 0);
	assert_int_equal(xb_cache_limit_read(NULL, &limit, NULL), 0);
	assert_int_equal(limit, 0);
	assert_int_equal(setenv("XBUILD_CACHE_LIMIT", "2k", 1), 0);
	assert_int_equal(xb_cache_limit_read(NULL, &limit, NULL), 0);
	assert_int_equal(limit, 2048);
	assert_int_equal(xb_cache_limit_read("20GB", &limit, NULL), 0);
	assert_int_equal(limit, (uint64_t)20 << 30);
	assert_int_equal(xb_cache_limit_read("none", &limit, NULL), 0);
	assert_true(limit == XB_LIMIT_NONE);
	assert_true(xb_cache_limit_read("0", &limit, NULL) < 0);
	assert_true(xb_cache_limit_read("much", &limit, NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_read),
		cmocka_unit_test(kinds_and_ids_are_read),
		cmocka_unit_test(anything_else_is_a_fault_of_usage),
		cmocka_unit_test(limits_are_read),
	};

	return cmocka_run_group_tests_name("builder/cli cache options", tests, NULL, NULL);
}
