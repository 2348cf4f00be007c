/* SPDX-License-Identifier: Apache-2.0 */
/* A store is kept within its bound, and never loses what is held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/cache/limit.h"
#include "tests/unit/builder/cache/fixture.h"

/* The results "tagged", which is, and "loose"; nobody holds them. */
static struct xb_store *store_with_results(void)
{
	struct xb_store *store = open_store();
	struct xb_record layer = result_of(store, "tagged");

	(void)tag_image(store, "a:latest", &layer);
	(void)result_of(store, "loose");
	xb_store_free(store);
	return open_store();
}

static bool has(struct xb_store *store, const char *key)
{
	struct xb_record record;

	return xb_record_get(store, key, &record, NULL) > 0;
}

static void beyond_its_bound_a_store_loses_what_nobody_holds(void **state)
{
	xb_auto_store struct xb_store *store = store_with_results();

	(void)state;
	xb_limit_set(store, 1);
	xb_limit_enforce(store);
	assert_false(has(store, "loose"));
	assert_true(has(store, "tagged"));
}

static void what_a_process_holds_stays(void **state)
{
	xb_auto_store struct xb_store *store = store_with_results();
	struct xb_store *other = open_store();

	(void)state;
	assert_true(has(other, "loose"));
	xb_limit_set(store, 1);
	xb_limit_enforce(store);
	xb_store_free(other);
	assert_true(has(store, "loose"));
}

static void within_its_bound_nothing_goes(void **state)
{
	xb_auto_store struct xb_store *store = store_with_results();

	(void)state;
	xb_limit_set(store, (uint64_t)1 << 40);
	xb_limit_enforce(store);
	assert_true(has(store, "loose"));
}

static void without_a_bound_nothing_goes(void **state)
{
	xb_auto_store struct xb_store *store = store_with_results();

	(void)state;
	xb_limit_set(store, XB_LIMIT_NONE);
	xb_limit_enforce(store);
	assert_false(xb_limit_relieve(store));
	assert_true(has(store, "loose"));
}

static void it_is_not_looked_at_again_at_once(void **state)
{
	xb_auto_store struct xb_store *store = store_with_results();

	(void)state;
	xb_limit_enforce(store);
	xb_limit_set(store, 1);
	xb_limit_enforce(store);
	assert_true(has(store, "loose"));
}

static void a_full_disk_is_relieved_while_there_is_something(void **state)
{
	xb_auto_store struct xb_store *store = store_with_results();

	(void)state;
	assert_true(xb_limit_relieve(store));
	assert_false(has(store, "loose"));
	assert_true(has(store, "tagged"));
	assert_false(xb_limit_relieve(store));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(beyond_its_bound_a_store_loses_what_nobody_holds),
		scratch_test(what_a_process_holds_stays),
		scratch_test(within_its_bound_nothing_goes),
		scratch_test(without_a_bound_nothing_goes),
		scratch_test(it_is_not_looked_at_again_at_once),
		scratch_test(a_full_disk_is_relieved_while_there_is_something),
	};

	return cmocka_run_group_tests_name("builder/cache limit", tests, NULL, NULL);
}
