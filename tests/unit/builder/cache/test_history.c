/* SPDX-License-Identifier: Apache-2.0 */
/* Builds that are remembered, their logs, and how long steps took. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/cache/history.h"
#include "tests/unit/builder/cache/fixture.h"

static void add(struct xb_store *store, const char *id, const char *what)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	const struct xb_history_log logs[] = { { 0, "first\n" }, { 7, "second\n" } };
	const struct xb_history_build build = {
		.id = id, .what = what, .logs = logs, .log_count = 2
	};

	check(xb_history_add(store, &build, &err), &err);
}

static int collect_ids(void *context, const char *id, const char *what)
{
	(void)what;
	xb_strv_push(context, id);
	return 0;
}

static int collect_logs(void *context, const struct xb_history_log *log)
{
	xb_strv_printf(context, "%zu %s", log->step, log->text);
	return 0;
}

static void builds_are_listed_newest_first(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_strv struct xb_strv ids = XB_STRV_INIT;

	(void)state;
	add(store, "aa", "{}");
	add(store, "bb", "{}");
	assert_int_equal(xb_history_each(store, collect_ids, &ids, NULL), 0);
	assert_int_equal(ids.len, 2);
	assert_string_equal(ids.items[0], "bb");
	assert_string_equal(ids.items[1], "aa");
}

static void a_build_is_found_by_the_beginning_of_its_name(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_str struct xb_str what = XB_STR_INIT(XB_HISTORY_MAX_WHAT);
	char id[XB_HISTORY_ID_SIZE];

	(void)state;
	assert_int_equal(xb_history_find(store, "", id, &what, NULL), -ENOENT);
	add(store, "abc1", "{\"n\":1}");
	add(store, "abd2", "{\"n\":2}");
	assert_int_equal(xb_history_find(store, "abc", id, &what, NULL), 0);
	assert_string_equal(id, "abc1");
	assert_string_equal(xb_str_text(&what), "{\"n\":1}");
	assert_int_equal(xb_history_find(store, "", id, &what, NULL), 0);
	assert_string_equal(id, "abd2");
	assert_int_equal(xb_history_find(store, "x", id, &what, NULL), -ENOENT);
	assert_int_equal(xb_history_find(store, "a%", id, &what, NULL), -ENOENT);
	assert_int_equal(xb_history_find(store, "ab", id, &what, &err), -EEXIST);
	assert_int_equal(err.fault, XB_FAULT_STORE);
}

static void logs_come_back_and_go_with_their_build(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_strv struct xb_strv logs = XB_STRV_INIT;

	(void)state;
	add(store, "aa", "{}");
	add(store, "bb", "{}");
	assert_int_equal(xb_history_logs(store, "aa", collect_logs, &logs, NULL), 0);
	assert_int_equal(logs.len, 2);
	assert_string_equal(logs.items[1], "7 second\n");
	assert_int_equal(xb_history_remove(store, "aa", NULL), 0);
	xb_strv_clear(&logs);
	assert_int_equal(xb_history_logs(store, "aa", collect_logs, &logs, NULL), 0);
	assert_int_equal(logs.len, 0);
	assert_int_equal(xb_history_logs(store, "bb", collect_logs, &logs, NULL), 0);
	assert_int_equal(logs.len, 2);
	assert_int_equal(xb_history_remove(store, NULL, NULL), 0);
	xb_strv_clear(&logs);
	assert_int_equal(xb_history_logs(store, "bb", collect_logs, &logs, NULL), 0);
	assert_int_equal(logs.len, 0);
}

static void the_oldest_builds_go(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_strv struct xb_strv ids = XB_STRV_INIT;

	(void)state;
	for (int i = 0; i < XB_HISTORY_BUILDS + 5; i++) {
		xb_autofree char *id = xb_format("%03d", i);

		add(store, id, "{}");
	}
	assert_int_equal(xb_history_each(store, collect_ids, &ids, NULL), 0);
	assert_int_equal(ids.len, XB_HISTORY_BUILDS);
	assert_string_equal(ids.items[0], "204");
	assert_string_equal(ids.items[ids.len - 1], "005");
}

static void the_last_duration_of_a_step_is_known(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_digest one = xb_digest_of("1", 1);
	struct xb_digest two = xb_digest_of("2", 1);
	const struct xb_digest *both[] = { &one, &two };
	struct xb_history_took took = { .step = &two, .ns = 5 };
	struct xb_history_build build = { .id = "a", .what = "{}", .took = &took, .took_count = 1 };
	uint64_t ns[2] = { 9, 9 };

	(void)state;
	assert_int_equal(xb_history_add(store, &build, NULL), 0);
	took.ns = 6;
	build.id = "b";
	assert_int_equal(xb_history_add(store, &build, NULL), 0);
	assert_int_equal(xb_history_durations(store, both, 2, ns, NULL), 0);
	assert_int_equal(ns[0], 0);
	assert_int_equal(ns[1], 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(builds_are_listed_newest_first),
		scratch_test(a_build_is_found_by_the_beginning_of_its_name),
		scratch_test(logs_come_back_and_go_with_their_build),
		scratch_test(the_oldest_builds_go),
		scratch_test(the_last_duration_of_a_step_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
