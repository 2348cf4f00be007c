/* SPDX-License-Identifier: Apache-2.0 */
/* What the store holds, when it was used, and what a collection chooses of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "builder/cache/db.h"
#include "builder/cache/inventory.h"
#include "builder/cache/use.h"
#include "tests/unit/builder/cache/fixture.h"

#define HOUR	((int64_t)3600)
#define SECONDS ((int64_t)1000000)

/* Results "a", "b" and "c", last used that many seconds ago, and a tagged one; nobody holds them.
 */
static void make_results(int64_t a, int64_t b, int64_t c)
{
	const int64_t ages[] = { a, b, c };
	struct xb_store *store = open_store();
	struct xb_record layer = result_of(store, "tagged");

	(void)tag_image(store, "image:1", &layer);
	for (size_t i = 0; i < XB_COUNT(ages); i++)
		(void)result_of(store, (const char *[]){ "a", "b", "c" }[i]);
	xb_store_free(store);
	store = open_store();
	for (size_t i = 0; i < XB_COUNT(ages); i++) {
		xb_autofree char *sql = xb_format(
			"UPDATE thing SET used = %lld WHERE name IN (SELECT 's ' || snapshot FROM "
			"record WHERE key = '%c' UNION SELECT 'b ' || blob FROM record WHERE key = "
			"'%c')",
			((long long)time(NULL) - (long long)ages[i]) * SECONDS, "abc"[i], "abc"[i]);

		assert_int_equal(xb_db_exec(store, sql, "writing to", NULL), 0);
	}
	xb_store_free(store);
}

/* Which of "a", "b" and "c" are there. */
static const char *left(void)
{
	static char ret[4];
	struct xb_store *store = open_store();
	struct xb_record record;
	size_t n = 0;

	for (const char *key = "abc"; *key != '\0'; key++) {
		if (xb_record_get(store, (const char[]){ *key, '\0' }, &record, NULL) > 0)
			ret[n++] = *key;
	}
	ret[n] = '\0';
	assert_int_equal(xb_record_get(store, "tagged", &record, NULL), 1);
	xb_store_free(store);
	return ret;
}

static struct xb_store_pruned prune(const struct xb_prune *what)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_store_pruned pruned = { 0 };

	check(xb_store_prune_some(store, what, &pruned, &err), &err);
	return pruned;
}

static uint64_t total(void)
{
	const struct xb_prune nothing = { .dry_run = true, .unused_for = 1000 * 365 * 24 * HOUR };

	return prune(&nothing).left;
}

static void the_least_recently_used_goes_first(void **state)
{
	struct xb_prune what = { 0 };

	(void)state;
	make_results(2 * HOUR, 3 * HOUR, HOUR);
	what.keep = total() - 1;
	assert_int_equal(prune(&what).records, 1);
	assert_string_equal(left(), "ac");
}

static void what_is_within_the_bound_stays(void **state)
{
	struct xb_prune what = { 0 };

	(void)state;
	make_results(2 * HOUR, 3 * HOUR, HOUR);
	what.keep = total() + 4096;
	assert_int_equal(prune(&what).records, 0);
	assert_string_equal(left(), "abc");
	what.keep = 1;
	assert_int_equal(prune(&what).records, 3);
	assert_string_equal(left(), "");
}

static void a_dry_run_says_what_would_go_and_leaves_it(void **state)
{
	struct xb_prune what = { .dry_run = true };
	struct xb_store_pruned said;
	struct xb_store_pruned done;

	(void)state;
	make_results(1, 1, 1);
	said = prune(&what);
	assert_int_equal(said.records, 3);
	what.dry_run = false;
	done = prune(&what);
	assert_int_equal(done.records, said.records);
	assert_int_equal(done.blobs, said.blobs);
	assert_int_equal(done.snapshots, said.snapshots);
	assert_int_equal(done.bytes, said.bytes);
	assert_string_equal(left(), "");
}

static void only_what_was_not_used_for_long_goes(void **state)
{
	const struct xb_prune what = { .unused_for = 2 * HOUR };

	(void)state;
	make_results(HOUR, 3 * HOUR, -5 * HOUR);
	assert_int_equal(prune(&what).records, 1);
	assert_string_equal(left(), "ac");
}

static void a_use_in_the_future_is_one_of_now(void **state)
{
	struct xb_prune what = { 0 };

	(void)state;
	make_results(HOUR, -1000 * HOUR, -HOUR);
	assert_int_equal(prune(&what).records, 3);
	assert_string_equal(left(), "");
}

static void one_can_be_named(void **state)
{
	xb_auto_strv struct xb_strv ids = XB_STRV_INIT;
	const struct xb_prune what = { .ids = &ids };

	(void)state;
	make_results(HOUR, HOUR, HOUR);
	xb_strv_push(&ids, "b");
	assert_int_equal(prune(&what).records, 1);
	assert_string_equal(left(), "ac");
}

static void what_is_used_is_noted_when_the_store_is_closed(void **state)
{
	struct xb_prune what = { .unused_for = HOUR };
	struct xb_store *store;
	struct xb_record record;

	(void)state;
	make_results(3 * HOUR, 3 * HOUR, 3 * HOUR);
	store = open_store();
	assert_int_equal(xb_record_get(store, "b", &record, NULL), 1);
	xb_store_free(store);
	assert_int_equal(prune(&what).records, 2);
	assert_string_equal(left(), "b");
}

static void equal_layers_are_counted_once_and_go_with_the_last(void **state)
{
	xb_auto_strv struct xb_strv ids = XB_STRV_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	const struct xb_prune what = { .ids = &ids };
	struct xb_store *store;
	struct xb_record record;

	(void)state;
	make_results(HOUR, HOUR, HOUR);
	store = open_store();
	assert_int_equal(xb_record_get(store, "a", &record, NULL), 1);
	(void)snprintf(record.key, sizeof(record.key), "twin");
	check(xb_snapshot_begin(store, &record.snapshot, &err), &err);
	check(xb_snapshot_commit(store, &record.snapshot, &err), &err);
	check(xb_record_put(store, &record, &err), &err);
	xb_store_free(store);
	xb_strv_push(&ids, "a");
	assert_int_equal(prune(&what).blobs, 0);
	xb_strv_push(&ids, "twin");
	assert_int_equal(prune(&what).blobs, 1);
	assert_string_equal(left(), "bc");
}

static void a_tree_of_two_records_goes_with_the_last(void **state)
{
	xb_auto_strv struct xb_strv ids = XB_STRV_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	const struct xb_prune what = { .ids = &ids };
	uint64_t before;
	struct xb_store *store;
	struct xb_record record;

	(void)state;
	make_results(HOUR, HOUR, HOUR);
	before = total();
	store = open_store();
	assert_int_equal(xb_record_get(store, "a", &record, NULL), 1);
	(void)snprintf(record.key, sizeof(record.key), "other");
	check(xb_record_put(store, &record, &err), &err);
	xb_store_free(store);
	assert_true(total() < before + 65536);
	xb_strv_push(&ids, "a");
	assert_int_equal(prune(&what).snapshots, 0);
	store = open_store();
	assert_int_equal(xb_record_get(store, "other", &record, NULL), 1);
	xb_store_free(store);
	xb_strv_push(&ids, "other");
	assert_int_equal(prune(&what).snapshots, 1);
	assert_string_equal(left(), "bc");
}

static const struct xb_item *item_of(const struct xb_inventory *inventory, const char *id)
{
	for (size_t i = 0; i < inventory->items.len; i++) {
		if (xb_item_is(&inventory->items.items[i], id))
			return &inventory->items.items[i];
	}
	fail_msg("no item %s", id);
	return NULL;
}

static void items_say_what_holds_them(void **state)
{
	xb_auto_inventory struct xb_inventory inventory = { 0 };
	xb_auto_store struct xb_store *store = NULL;
	struct xb_record record;

	(void)state;
	make_results(HOUR, HOUR, HOUR);
	store = open_store();
	assert_int_equal(xb_record_get(store, "c", &record, NULL), 1);
	assert_int_equal(xb_inventory_take(store, &inventory, NULL), 0);
	assert_int_equal(xb_inventory_tags(store, &inventory, NULL), 0);
	assert_int_equal(item_of(&inventory, "a")->hold, XB_HELD_NOT);
	assert_null(item_of(&inventory, "a")->tags);
	assert_int_equal(item_of(&inventory, "c")->hold, XB_HELD_PROCESS);
	assert_int_equal(item_of(&inventory, "tagged")->hold, XB_HELD_TAG);
	assert_string_equal(item_of(&inventory, "tagged")->tags, "image:1");
	assert_int_equal(item_of(&inventory, "a")->tree.inodes, 3);
	assert_int_equal(item_of(&inventory, "a")->packed.inodes, 1);
	assert_int_equal(inventory.tags, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(the_least_recently_used_goes_first),
		scratch_test(what_is_within_the_bound_stays),
		scratch_test(a_dry_run_says_what_would_go_and_leaves_it),
		scratch_test(only_what_was_not_used_for_long_goes),
		scratch_test(a_use_in_the_future_is_one_of_now),
		scratch_test(one_can_be_named),
		scratch_test(what_is_used_is_noted_when_the_store_is_closed),
		scratch_test(equal_layers_are_counted_once_and_go_with_the_last),
		scratch_test(a_tree_of_two_records_goes_with_the_last),
		scratch_test(items_say_what_holds_them),
	};

	return cmocka_run_group_tests_name("builder/cache inventory", tests, NULL, NULL);
}
