/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers of a base that are in a registry: unpacked while they arrive they are what they are
 * afterwards, whatever happens on the way, and nothing is left of one that does not come whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "builder/cache/origin.h"
#include "builder/cache/supply.h"
#include "builder/layer/tree.h"
#include "builder/layer/unpack.h"
#include "builder/solve/trees.h"
#include "tests/unit/builder/cache/fixture.h"

#include "tests/unit/builder/layer/trees.h"

#include "tests/unit/builder/layer/tars.h"

#include "tests/unit/builder/solve/bases.h"

/* Layers of a base, bottom first, in the words of tar_words(). */
static const char *const base[] = {
	"early/ a/ a/f=1 a/g=2 late=9",
	"second/ a/ a/.wh.f a/h=5", /* hides */
	"third/ a/i&a/h",	    /* needs what is below */
	"fourth/ b/ b/g=3",
};
#define LAYERS XB_COUNT(base)

/* Bytes of a layer that are given at first: the directory "early" and little more. */
#define FIRST ((size_t)2 * XB_TAR_BLOCK)

/* ---- a registry that has them -----------------------------------------------------------------
 */

enum manner {
	GIVE,
	GIVE_SLOWLY, /* the rest when something of it has been unpacked */
	BEGIN_ANEW,  /* likewise, but from the start */
	CUT,	     /* when something of it has been unpacked */
	SPOIL,	     /* other bytes at the end, which the client notices */
};

static struct {
	struct xb_place place;
	enum manner manner;
	atomic_int gets;
	atomic_int seen; /* how often something was unpacked before all was there */
	struct xb_str blobs[LAYERS];
} far_one, far_two;

/* Whether a snapshot has what is at the start of a layer. A build that waits has it sooner or
 * later; one that does not never has, and is given up. */
static bool is_begun(void)
{
	xb_autofree char *line = xb_format("[ -n \"$(find '%s/store/snapshots' -name early -o "
					   "-name second -o -name third -o -name fourth)\" ]",
					   scratch);

	for (int tries = 0; tries < 2000; tries++) {
		if (scratch_run((const char *[]){ "sh", "-c", line, NULL }) == 0)
			return true;
		(void)poll(NULL, 0, 10);
	}
	return false;
}

static const struct xb_str *bytes_of(const struct xb_digest *digest)
{
	for (size_t i = 0; i < LAYERS; i++) {
		struct xb_digest here = xb_digest_of(far_one.blobs[i].data, far_one.blobs[i].len);

		if (xb_digest_eq(&here, digest))
			return &far_one.blobs[i];
	}
	fail_msg("nobody has %s", digest->text);
	return NULL;
}

static int far_get(struct xb_place *place, const struct xb_descriptor *blob,
		   const struct xb_blob_sink *sink, struct xb_error *err)
{
	enum manner manner = place == &far_one.place ? far_one.manner : far_two.manner;
	const struct xb_str *bytes = bytes_of(&blob->digest);
	size_t from = manner == GIVE ? 0 : FIRST;
	int r = 0;

	(void)atomic_fetch_add(&far_one.gets, 1);
	if (manner != GIVE) {
		r = sink->write(sink->context, bytes->data, FIRST, err);
		if (is_begun())
			(void)atomic_fetch_add(&far_one.seen, 1);
	}
	if (manner == CUT)
		return xb_error_set(err, -ECONNRESET, "cut");
	if (manner == BEGIN_ANEW && r == 0) {
		r = sink->restart(sink->context, err);
		from = 0;
	}
	if (r == 0)
		r = sink->write(sink->context, bytes->data + from, bytes->len - from, err);
	return manner == SPOIL && r == 0 ? xb_error_set(err, -EBADMSG, "other bytes") : r;
}

static const struct xb_place_ops far_ops = { .get = far_get };

static int open_far(void *context, const char *name, struct xb_place **ret, struct xb_error *err)
{
	(void)context;
	(void)err;
	*ret = strcmp(name, "host/two") == 0 ? &far_two.place : &far_one.place;
	return 0;
}

/* ---- a base that is there ---------------------------------------------------------------------
 */

/* A store that knows where the first `count` layers are, and the result that has them. */
static struct xb_store *store_with(size_t count, enum manner one, enum manner two,
				   struct xb_result *result)
{
	static const struct xb_supplier supplier = { .open = open_far };
	static const char *const places[] = { "host/two",
					      "host/one" }; /* the last is asked first */
	struct xb_store *store = open_store();
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };

	far_one.place = (struct xb_place){ &far_ops, "host/one" };
	far_two.place = (struct xb_place){ &far_ops, "host/two" };
	far_one.manner = one;
	far_two.manner = two;
	atomic_store(&far_one.gets, 0);
	atomic_store(&far_one.seen, 0);
	*result = (struct xb_result){ 0 };
	for (size_t i = 0; i < LAYERS; i++) {
		xb_str_clear(&far_one.blobs[i]);
		base_layer_bytes(base[i], &far_one.blobs[i]);
		if (i < count) {
			base_layer_add(result, &far_one.blobs[i]);
			xb_descriptor_init(xb_array_push(&blobs), XB_MEDIA_OCI_LAYER,
					   &result->layers.items[i].blob,
					   result->layers.items[i].blob_size);
		}
	}
	for (size_t i = 0; i < XB_COUNT(places); i++)
		assert_int_equal(xb_origin_put(store, places[i], &blobs, NULL), 0);
	xb_supply_attach(store, &supplier);
	return store;
}

static void drop(struct xb_store *store, struct xb_result *result)
{
	xb_result_clear(result);
	xb_store_free(store);
	assert_int_equal(scratch_run((const char *[]){ "rm", "-rf", scratch_path("store"), NULL }),
			 0);
}

/* The tree of the first `count` layers that are here already. */
static char *list_local(size_t count)
{
	struct xb_result result;
	struct xb_store *store = store_with(count, GIVE, GIVE, &result);
	char *text;

	for (size_t i = 0; i < count; i++)
		assert_int_equal(xb_blob_put(store, xb_str_view(&far_one.blobs[i]), NULL, NULL), 0);
	text = list_tree(store, &result);
	assert_int_equal(atomic_load(&far_one.gets), 0);
	drop(store, &result);
	return text;
}

/* ---- the tests --------------------------------------------------------------------------------
 */

static void a_layer_is_unpacked_while_it_arrives(void **state)
{
	struct xb_result result;
	struct xb_store *store;
	xb_autofree char *text = NULL;
	xb_autofree char *expected = NULL;

	(void)state;
	need("userns", trees_root);
	expected = list_local(1);
	assert_non_null(strstr(expected, "late"));
	store = store_with(1, GIVE_SLOWLY, GIVE, &result);
	text = list_tree(store, &result);
	assert_string_equal(text, expected);
	assert_int_equal(atomic_load(&far_one.seen), 1);
	assert_int_equal(count_in("store/snapshots"), 1);
	drop(store, &result);
}

/* Whoever hides what is below, or needs it, gets its turn. */
static void so_are_several(void **state)
{
	static const enum manner manners[] = { GIVE, GIVE_SLOWLY, BEGIN_ANEW };
	xb_autofree char *expected = NULL;

	(void)state;
	need("userns", trees_root);
	expected = list_local(LAYERS);
	for (size_t i = 0; i < XB_COUNT(manners); i++) {
		struct xb_result result;
		struct xb_store *store = store_with(LAYERS, manners[i], GIVE, &result);
		xb_autofree char *text = list_tree(store, &result);

		assert_string_equal(text, expected);
		assert_int_equal(atomic_load(&far_one.gets), LAYERS);
		assert_int_equal(count_in("store/snapshots"), LAYERS);
		drop(store, &result);
	}
}

/* What came first was unpacked already: nothing of it may stay. */
static void one_that_begins_anew_is_unpacked_anew(void **state)
{
	static const enum manner manners[] = { BEGIN_ANEW, CUT, SPOIL };
	xb_autofree char *expected = NULL;

	(void)state;
	need("userns", trees_root);
	expected = list_local(1);
	for (size_t i = 0; i < XB_COUNT(manners); i++) {
		struct xb_result result;
		struct xb_store *store = store_with(1, manners[i], GIVE, &result);
		xb_autofree char *text = list_tree(store, &result);

		assert_string_equal(text, expected);
		assert_int_equal(atomic_load(&far_one.seen), 1);
		assert_int_equal(count_in("store/snapshots"), 1);
		drop(store, &result);
	}
}

static void assert_nothing_is_left(void)
{
	assert_int_equal(count_in("store/snapshots"), 0);
	assert_int_equal(count_in("store/ingest"), 0);
	/* nor a child */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void nothing_is_left_of_one_that_does_not_come(void **state)
{
	static const struct {
		enum manner manner;
		int status;
	} rows[] = { { CUT, -ECONNRESET }, { SPOIL, -EBADMSG } };

	(void)state;
	need("userns", trees_root);
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		struct xb_result result;
		struct xb_store *store = store_with(1, rows[i].manner, rows[i].manner, &result);
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_int_equal(open_tree(store, &result, &err), rows[i].status);
		assert_non_null(strstr(err.message, "fetching the blob sha256:"));
		assert_null(strstr(err.message, "unpacking"));
		/* at both places */
		assert_int_equal(atomic_load(&far_one.seen), 2);
		assert_nothing_is_left();
		/* and nobody is in the way of the next who tries */
		far_one.manner = GIVE;
		assert_int_equal(close(open_tree(store, &result, NULL)), 0);
		drop(store, &result);
	}
}

/* All bytes come, and they are those of the digest; but they are not the layer that was promised.
 */
static void a_bad_layer_is_named(void **state)
{
	struct xb_result result;
	struct xb_store *store;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	need("userns", trees_root);
	store = store_with(1, GIVE_SLOWLY, GIVE, &result);
	result.layers.items[0].diff_id = xb_digest_of("other", 5);
	assert_int_equal(open_tree(store, &result, &err), -EBADMSG);
	assert_non_null(strstr(err.message, "unpacking layer sha256:"));
	assert_nothing_is_left();
	drop(store, &result);
}

static void each_comes_once_for_all_who_want_it(void **state)
{
	struct xb_result result;
	struct xb_store *store;
	struct asker askers[5];

	(void)state;
	need("userns", trees_root);
	store = store_with(LAYERS, GIVE_SLOWLY, GIVE, &result);
	for (size_t i = 0; i < XB_COUNT(askers); i++)
		asker_start(&askers[i], store, &result);
	for (size_t i = 0; i < XB_COUNT(askers); i++)
		asker_end(&askers[i]);
	assert_int_equal(atomic_load(&far_one.gets), LAYERS);
	assert_int_equal(count_in("store/snapshots"), LAYERS);
	drop(store, &result);
}

static int forget(void **state)
{
	for (size_t i = 0; i < LAYERS; i++)
		xb_str_clear(&far_one.blobs[i]);
	return scratch_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, forget)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_layer_is_unpacked_while_it_arrives),
		TEST(so_are_several),
		TEST(one_that_begins_anew_is_unpacked_anew),
		TEST(nothing_is_left_of_one_that_does_not_come),
		TEST(a_bad_layer_is_named),
		TEST(each_comes_once_for_all_who_want_it),
	};

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
