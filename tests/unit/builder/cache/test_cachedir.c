/* SPDX-License-Identifier: Apache-2.0 */
/* The directories of cache mounts: who may use them, and when they go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>

#include <cmocka.h>

#include "builder/cache/cachedir.h"
#include "tests/unit/builder/cache/fixture.h"

static const struct xb_cachedir_seed no_seed;

static struct xb_cachedir *take(struct xb_store *store, const char *key, enum xb_cachedir_use use)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_cachedir *dir = NULL;

	check(xb_cachedir_take(store, key, use, &no_seed, &dir, &err), &err);
	return dir;
}

static bool is_free(struct xb_store *store, const char *key, enum xb_cachedir_use use)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_cachedir struct xb_cachedir *dir = NULL;
	int r = xb_cachedir_take(store, key, use, &no_seed, &dir, &err);

	assert_true(r == 0 || r == -EAGAIN);
	return r == 0;
}

static void put(const struct xb_cachedir *dir, const char *name)
{
	assert_int_equal(xb_file_replace_at(xb_cachedir_fd(dir), name, "x", 1, false, NULL), 0);
}

static bool has(const struct xb_cachedir *dir, const char *name)
{
	return faccessat(xb_cachedir_fd(dir), name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void what_is_in_it_stays(void **state)
{
	struct xb_store *store = open_store();
	struct xb_cachedir *dir = take(store, "a", XB_CACHEDIR_LOCKED);

	(void)state;
	put(dir, "f");
	xb_cachedir_free(dir);
	xb_store_free(store);
	store = open_store();
	dir = take(store, "a", XB_CACHEDIR_SHARED);
	assert_true(has(dir, "f"));
	xb_cachedir_free(dir);
	dir = take(store, "b", XB_CACHEDIR_SHARED);
	assert_false(has(dir, "f"));
	xb_cachedir_free(dir);
	xb_store_free(store);
}

static void uses_exclude_each_other(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_store struct xb_store *other = open_store();
	struct xb_cachedir *dir = take(store, "a", XB_CACHEDIR_SHARED);

	(void)state;
	assert_true(is_free(store, "a", XB_CACHEDIR_SHARED));
	assert_true(is_free(other, "a", XB_CACHEDIR_SHARED));
	assert_false(is_free(store, "a", XB_CACHEDIR_LOCKED));
	assert_false(is_free(other, "a", XB_CACHEDIR_LOCKED));
	/* a step may lock what it sees as it likes */
	assert_int_equal(flock(xb_cachedir_fd(dir), LOCK_EX | LOCK_NB), 0);
	assert_true(is_free(other, "a", XB_CACHEDIR_SHARED));
	xb_cachedir_free(dir);
	dir = take(store, "a", XB_CACHEDIR_LOCKED);
	assert_false(is_free(other, "a", XB_CACHEDIR_SHARED));
	assert_false(is_free(other, "a", XB_CACHEDIR_LOCKED));
	xb_cachedir_free(dir);
	assert_true(is_free(other, "a", XB_CACHEDIR_LOCKED));
}

static void a_private_one_is_the_first_that_is_free(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_cachedir *first = take(store, "a", XB_CACHEDIR_PRIVATE);
	struct xb_cachedir *second = take(store, "a", XB_CACHEDIR_PRIVATE);

	(void)state;
	put(first, "first");
	put(second, "second");
	xb_cachedir_free(first);
	first = take(store, "a", XB_CACHEDIR_PRIVATE);
	assert_true(has(first, "first"));
	assert_false(has(first, "second"));
	xb_cachedir_free(first);
	xb_cachedir_free(second);
}

static int fill(void *context, int fs, struct xb_error *err)
{
	int *calls = context;

	if (++*calls == 1)
		return xb_error_set(err, -EIO, "no seed today");
	return xb_file_replace_at(fs, "seed", "s", 1, false, err);
}

static void a_seed_is_whole_or_there_is_no_cache(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_cachedir struct xb_cachedir *dir = NULL;
	xb_auto_cachedir struct xb_cachedir *again = NULL;
	struct xb_store_usage usage;
	int calls = 0;
	const struct xb_cachedir_seed seed = { .fill = fill, .context = &calls };

	(void)state;
	assert_int_equal(xb_cachedir_take(store, "a", XB_CACHEDIR_SHARED, &seed, &dir, &err), -EIO);
	assert_int_equal(xb_store_usage(store, &usage, NULL), 0);
	assert_int_equal(usage.caches, 0);
	assert_int_equal(xb_cachedir_take(store, "a", XB_CACHEDIR_SHARED, &seed, &dir, NULL), 0);
	assert_true(has(dir, "seed"));
	assert_int_equal(xb_cachedir_take(store, "a", XB_CACHEDIR_SHARED, &seed, &again, NULL), 0);
	assert_int_equal(calls, 2);
}

static void pruning_takes_what_nobody_uses(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_cachedir *used = take(store, "used", XB_CACHEDIR_SHARED);
	struct xb_store_pruned pruned;
	struct xb_store_usage usage;

	(void)state;
	xb_cachedir_free(take(store, "idle", XB_CACHEDIR_SHARED));
	put(used, "f");
	assert_int_equal(xb_store_prune(store, false, &pruned, NULL), 0);
	assert_int_equal(pruned.caches, 0);
	assert_int_equal(xb_store_prune(store, true, &pruned, NULL), 0);
	assert_int_equal(pruned.caches, 1);
	assert_int_equal(xb_store_usage(store, &usage, NULL), 0);
	assert_int_equal(usage.caches, 1);
	assert_true(has(used, "f"));
	xb_cachedir_free(used);
	assert_int_equal(xb_store_prune(store, true, &pruned, NULL), 0);
	assert_int_equal(pruned.caches, 1);
	used = take(store, "used", XB_CACHEDIR_SHARED);
	assert_false(has(used, "f"));
	xb_cachedir_free(used);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_in_it_stays),
		TEST(uses_exclude_each_other),
		TEST(a_private_one_is_the_first_that_is_free),
		TEST(a_seed_is_whole_or_there_is_no_cache),
		TEST(pruning_takes_what_nobody_uses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
