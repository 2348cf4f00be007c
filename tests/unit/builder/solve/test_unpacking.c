/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base images' layers in a store: unpacked several at once they are what they are one by one, each
 * is unpacked once whoever asks, and one that is bad stops the others by its name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

#include "base/pool.h"
#include "builder/cache/means.h"
#include "builder/layer/tree.h"
#include "builder/layer/unpack.h"
#include "builder/solve/trees.h"
#include "builder/solve/unpacking.h"
#include "tests/unit/builder/cache/fixture.h"

#include "tests/unit/builder/layer/trees.h"

#include "tests/unit/builder/layer/tars.h"

#include "tests/unit/builder/solve/bases.h"

/* Layers of a base, bottom first, in the words of tar_words(). */
static const char *const base[] = {
	"a/ a/f=1 a/g=2 a/sub/ a/sub/x=3 b/ b/f=4 l>a",
	"a/ a/.wh.f a/h=5 n/ n/.wh.none", /* hides */
	"a/ a/sub/ a/sub/.wh..wh..opq a/sub/y=6",
	"b=now_a_file l/ l/x=7",
	"a/i&a/h", /* needs what is below */
	"b/ b/new=8 a/ a/.wh.g",
};
#define LAYERS XB_COUNT(base)

/* ---- a base in a store ------------------------------------------------------------------------
 */

static void add_layer(struct xb_result *result, struct xb_store *store, const char *words)
{
	xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_STR_OWN);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	base_layer_bytes(words, &bytes);
	check(xb_blob_put(store, xb_str_view(&bytes), NULL, &err), &err);
	base_layer_add(result, &bytes);
}

static void add_base(struct xb_result *result, struct xb_store *store)
{
	for (size_t i = 0; i < LAYERS; i++)
		add_layer(result, store, base[i]);
}

static size_t count_snapshots(void)
{
	xb_autofree char *path = xb_strdup(scratch_path("store/snapshots"));
	DIR *dir = opendir(path);
	struct dirent *d;
	size_t count = 0;

	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL)
		count += d->d_name[0] != '.';
	(void)closedir(dir);
	return count;
}

static void remove_store(void)
{
	const char *const command[] = { "rm", "-rf", scratch_path("store"), NULL };

	assert_int_equal(scratch_run(command), 0);
}

/* Let this thread, and those that it starts, use so many processors; whether there are as many. */
static bool use_processors(unsigned count)
{
	static cpu_set_t all;
	cpu_set_t some;

	if (CPU_COUNT(&all) == 0)
		assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&some);
	for (size_t i = 0; i < (size_t)CPU_SETSIZE && (unsigned)CPU_COUNT(&some) < count; i++) {
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &some);
	}
	assert_int_equal(sched_setaffinity(0, sizeof(some), &some), 0);
	return xb_pool_processors() == count;
}

/* ---- the tests --------------------------------------------------------------------------------
 */

static char *tree_with(unsigned processors, const char *means)
{
	struct xb_store *store;
	struct xb_result result = { 0 };
	char *text;

	remove_store();
	need("processors", use_processors(processors));
	store = open_store();
	if (strcmp(means, "copy") == 0)
		xb_means_choose(store, XB_MEANS_COPY);
	add_base(&result, store);
	text = list_tree(store, &result);
	xb_result_clear(&result);
	xb_store_free(store);
	(void)use_processors(1);
	return text;
}

static void several_at_once_are_what_they_are_one_by_one(void **state)
{
	static const char *const means[] = { "overlay", "copy" };
	xb_autofree char *alone = NULL;

	(void)state;
	need("userns", trees_root);
	alone = tree_with(1, "overlay");
	assert_non_null(strstr(alone, "a/sub/y "));
	assert_null(strstr(alone, "a/sub/x "));
	assert_null(strstr(alone, "a/g "));
	for (size_t i = 0; i < XB_COUNT(means); i++) {
		xb_autofree char *text = tree_with(2, means[i]);

		assert_string_equal(text, alone);
	}
}

/* One of many who want the same base. */
static void each_layer_is_unpacked_once_by_threads(void **state)
{
	struct xb_store *store;
	struct xb_result result = { 0 };
	struct asker askers[6];

	(void)state;
	need("userns", trees_root);
	need("processors", use_processors(2));
	store = open_store();
	add_base(&result, store);
	for (size_t i = 0; i < XB_COUNT(askers); i++)
		asker_start(&askers[i], store, &result);
	for (size_t i = 0; i < XB_COUNT(askers); i++)
		asker_end(&askers[i]);
	assert_int_equal(count_snapshots(), LAYERS);
	xb_result_clear(&result);
	xb_store_free(store);
}

/* The program started again: 0 when it had the tree of the base. */
static int ask_as_program(const char *path)
{
	struct xb_store *store = NULL;
	struct xb_result result = { 0 };
	xb_auto_fd int fd = -1;

	if (xb_store_open(path, &store, NULL) < 0)
		return 1;
	add_base(&result, store);
	fd = open_tree(store, &result, NULL);
	xb_result_clear(&result);
	xb_store_free(store);
	return fd < 0;
}

static pid_t start_program(const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)execl(xb_proc_self_path(), "test_unpacking", "ask", path, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void each_layer_is_unpacked_once_by_processes(void **state)
{
	xb_autofree char *expected = NULL;

	(void)state;
	need("userns", trees_root);
	expected = tree_with(1, "overlay");
	for (int round = 0; round < 4; round++) {
		struct xb_result result = { 0 };
		struct xb_store *store;
		xb_autofree char *text = NULL;
		pid_t children[3];

		remove_store();
		need("processors", use_processors(2));
		store = open_store();
		for (size_t i = 0; i < XB_COUNT(children); i++)
			children[i] = start_program(xb_store_root(store));
		for (size_t i = 0; i < XB_COUNT(children); i++) {
			int status = -1;

			assert_int_equal(waitpid(children[i], &status, 0), children[i]);
			assert_int_equal(status, 0);
		}
		assert_int_equal(count_snapshots(), LAYERS);
		add_base(&result, store);
		text = list_tree(store, &result);
		assert_string_equal(text, expected);
		assert_int_equal(count_snapshots(), LAYERS);
		xb_result_clear(&result);
		xb_store_free(store);
	}
}

static void a_bad_layer_is_named_and_leaves_nothing(void **state)
{
	(void)state;
	need("userns", trees_root);
	need("processors", use_processors(2));
	for (size_t bad = 0; bad < LAYERS; bad++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		xb_auto_strv struct xb_strv lowers = XB_STRV_INIT, warnings = XB_STRV_INIT;
		struct xb_result result = { 0 };
		struct xb_store *store = open_store();
		size_t whole;

		add_base(&result, store);
		result.layers.items[bad].diff_id = xb_digest_of("other", 5);
		assert_int_equal(xb_trees_paths(store, &result, 0, &lowers, &warnings, &err),
				 -EBADMSG);
		assert_non_null(strstr(err.message, result.layers.items[bad].blob.text));
		whole = count_snapshots();
		assert_true(whole < LAYERS);
		/* nobody is left with a lock: the layer as it should be is unpacked */
		result.layers.items[bad].diff_id = result.layers.items[bad].blob;
		xb_strv_clear(&lowers);
		check(xb_trees_paths(store, &result, 0, &lowers, &warnings, &err), &err);
		assert_int_equal(lowers.len, LAYERS);
		assert_int_equal(count_snapshots(), LAYERS);
		xb_result_clear(&result);
		xb_store_free(store);
		remove_store();
	}
}

/* Another has begun a layer: it is waited for, and nobody waits in a circle. */
static void a_layer_that_another_makes_is_waited_for(void **state)
{
	struct xb_store *store;
	struct xb_result result = { 0 };
	struct xb_keylock *lock = NULL;
	struct asker asker;
	xb_autofree char *key = NULL;
	xb_autofree char *expected = NULL;
	xb_autofree char *text = NULL;

	(void)state;
	need("userns", trees_root);
	expected = tree_with(1, "overlay");
	remove_store();
	need("processors", use_processors(2));
	store = open_store();
	add_base(&result, store);
	key = xb_format("%s%s", XB_RECORD_CHAIN, result.layers.items[1].chain.text);
	assert_int_equal(xb_keylock_take(store, key, true, &lock, NULL), 0);
	asker_start(&asker, store, &result);
	/* all others that can be had alone are there some time; this one never is */
	for (size_t i = 2; i < 4; i++) {
		while (!xb_unpacking_done(store, &result.layers.items[i]))
			(void)poll(NULL, 0, 5);
	}
	assert_false(xb_unpacking_done(store, &result.layers.items[1]));
	xb_keylock_free(lock);
	asker_end(&asker);
	text = list_tree(store, &result);
	assert_string_equal(text, expected);
	assert_int_equal(count_snapshots(), LAYERS);
	xb_result_clear(&result);
	xb_store_free(store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(several_at_once_are_what_they_are_one_by_one),
		TEST(each_layer_is_unpacked_once_by_threads),
		TEST(each_layer_is_unpacked_once_by_processes),
		TEST(a_bad_layer_is_named_and_leaves_nothing),
		TEST(a_layer_that_another_makes_is_waited_for),
	};

	TREES_MAIN_BEGIN(argv);
	if (argc == 3 && strcmp(argv[1], "ask") == 0)
		return ask_as_program(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
