/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs that are elsewhere: noted, fetched once when they are needed, and missed by nobody else. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/cache/origin.h"
#include "builder/cache/place.h"
#include "builder/cache/supply.h"
#include "builder/cache/verify.h"
#include "manifest/image.h"
#include "tests/unit/builder/cache/fixture.h"

#define BYTES "bytes of a layer that is far away" /* 33 of them */

/* What a registry does about the blob. */
enum manner { GIVE, GIVE_TWICE, CUT, MISS };

/* A repository that has one blob. */
struct far {
	struct xb_place place;
	enum manner manner;
	atomic_int gets;
};

static struct far one, two;
static atomic_bool stop;
static bool asked_elsewhere;

static int far_get(struct xb_place *place, const struct xb_descriptor *blob,
		   const struct xb_blob_sink *sink, struct xb_error *err)
{
	struct far *far = (struct far *)place;
	const char *bytes = BYTES;
	int r = 0;

	(void)atomic_fetch_add(&far->gets, 1);
	if (far->manner == MISS)
		return xb_error_set(err, -ENOENT, "%s has no %s", place->name, blob->digest.text);
	if (far->manner != GIVE)
		r = sink->write(sink->context, bytes, 7, err);
	if (far->manner == CUT)
		return r < 0 ? r : xb_error_set(err, -ECONNRESET, "%s: cut", place->name);
	if (far->manner == GIVE_TWICE && r == 0)
		r = sink->restart(sink->context, err);
	return r < 0 ? r : sink->write(sink->context, bytes, strlen(bytes), err);
}

static const struct xb_place_ops far_ops = { .get = far_get };

static int open_far(void *context, const char *name, struct xb_place **ret, struct xb_error *err)
{
	struct far *far = strcmp(name, "host/one") == 0 ? &one : &two;

	assert_ptr_equal(context, &stop);
	if (strcmp(name, "host/none") == 0) {
		asked_elsewhere = true;
		return xb_error_set(err, -ENETUNREACH, "nobody is there");
	}
	*ret = &far->place;
	return 0;
}

static void descriptor(struct xb_descriptor *ret)
{
	struct xb_digest digest = xb_digest_of(BYTES, strlen(BYTES));

	xb_descriptor_init(ret, XB_MEDIA_OCI_LAYER, &digest, strlen(BYTES));
}

/* What somebody who looks on is told, in a word each. */
static struct xb_str told;

static void hear_begun(void *context, int fd)
{
	struct stat st;

	assert_ptr_equal(context, &told);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	xb_str_puts(&told, "begun ");
}

static void hear_grown(void *context, uint64_t size)
{
	(void)context;
	(void)xb_str_printf(&told, "%u ", (unsigned)size);
}

static void hear_undone(void *context)
{
	(void)context;
	xb_str_puts(&told, "undone ");
}

static const struct xb_supply_watcher watcher = { hear_begun, hear_grown, hear_undone, &told };

/* A store that knows the blob at these places, and how to speak with them. */
static struct xb_store *store_with(const char *const *places, enum manner first, enum manner second)
{
	static const struct xb_supplier supplier = { .open = open_far, .context = &stop };
	struct xb_store *store = open_store();
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };

	one = (struct far){ .place = { &far_ops, "host/one" }, .manner = first };
	two = (struct far){ .place = { &far_ops, "host/two" }, .manner = second };
	atomic_store(&stop, false);
	descriptor(xb_array_push(&blobs));
	for (size_t i = 0; places[i] != NULL; i++)
		assert_int_equal(xb_origin_put(store, places[i], &blobs, NULL), 0);
	xb_supply_attach(store, &supplier);
	return store;
}

static void assert_blob(struct xb_store *store)
{
	xb_auto_descriptor struct xb_descriptor blob = XB_DESCRIPTOR_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(100);

	descriptor(&blob);
	assert_int_equal(xb_blob_read(store, &blob.digest, &text, NULL), 0);
	assert_string_equal(xb_str_text(&text), BYTES);
}

static int supply(struct xb_store *store, struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor blob = XB_DESCRIPTOR_INIT;

	descriptor(&blob);
	return xb_supply_blob(store, &blob, err);
}

static const char *const at_one[] = { "host/one", NULL };
/* what is noted last is asked first */
static const char *const at_both[] = { "host/two", "host/one", NULL };

static void what_is_elsewhere_comes_when_it_is_needed(void **state)
{
	xb_auto_store struct xb_store *store = store_with(at_one, GIVE_TWICE, MISS);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	check(supply(store, &err), &err);
	check(supply(store, &err), &err);
	assert_int_equal(atomic_load(&one.gets), 1);
	assert_blob(store);
}

/* Each is asked until one gives it. */
static void the_next_origin_is_asked(void **state)
{
	static const enum manner bad[] = { CUT, MISS };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		struct xb_store *store = store_with(at_both, bad[i], GIVE);
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		check(supply(store, &err), &err);
		assert_int_equal(atomic_load(&one.gets), 1);
		assert_int_equal(atomic_load(&two.gets), 1);
		assert_blob(store);
		xb_store_free(store);
		scratch_run((const char *[]){ "rm", "-r", scratch_path("store"), NULL });
	}
}

static int supply_watched(struct xb_store *store)
{
	xb_auto_descriptor struct xb_descriptor blob = XB_DESCRIPTOR_INIT;

	told = XB_STR_INIT(1000);
	descriptor(&blob);
	return xb_supply_watched(store, &blob, &watcher, NULL);
}

/* Of what is there when it ends well nothing was taken back. */
static void who_looks_on_is_told_what_is_there(void **state)
{
	static const struct {
		enum manner first, second;
		int status;
		const char *told;
	} rows[] = {
		{ GIVE, GIVE, 0, "begun 33 " },
		{ GIVE_TWICE, GIVE, 0, "begun 7 undone begun 33 " },
		{ CUT, GIVE, 0, "begun 7 undone begun 33 " },
		{ MISS, GIVE, 0, "begun undone begun 33 " },
		{ CUT, MISS, -ECONNRESET, "begun 7 undone begun undone " },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		struct xb_store *store = store_with(at_both, rows[i].first, rows[i].second);

		assert_int_equal(supply_watched(store), rows[i].status);
		assert_string_equal(xb_str_text(&told), rows[i].told);
		xb_str_clear(&told);
		if (rows[i].status == 0) {
			assert_int_equal(supply_watched(store), 0);
			assert_string_equal(xb_str_text(&told), "");
			xb_str_clear(&told);
		}
		xb_store_free(store);
		scratch_run((const char *[]){ "rm", "-r", scratch_path("store"), NULL });
	}
}

static void nothing_is_left_of_what_fails(void **state)
{
	xb_auto_store struct xb_store *store = store_with(at_both, CUT, MISS);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(supply(store, &err), -ECONNRESET);
	assert_non_null(strstr(err.message, "fetching the blob sha256:"));
	assert_non_null(strstr(err.message, "host/one: cut"));
	assert_int_equal(count_in("store/ingest"), 0);
	one.manner = GIVE;
	assert_int_equal(supply(store, NULL), 0);
	assert_blob(store);
}

static void who_is_nowhere_is_told_so(void **state)
{
	static const char *const none[] = { NULL };
	static const char *const gone[] = { "host/none", NULL };
	struct xb_store *store = store_with(none, GIVE, GIVE);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(supply(store, &err), -ENOENT);
	assert_non_null(strstr(err.message, "nothing says where it is from"));
	assert_int_equal(err.fault, XB_FAULT_STORE);
	xb_store_free(store);
	xb_error_clear(&err);
	store = store_with(gone, GIVE, GIVE);
	assert_int_equal(supply(store, &err), -ENETUNREACH);
	assert_non_null(strstr(err.message, "nobody is there"));
	assert_true(asked_elsewhere);
	xb_supply_attach(store, NULL);
	xb_error_clear(&err);
	assert_int_equal(supply(store, &err), -ENETUNREACH);
	assert_non_null(strstr(err.message, "it was left in host/none"));
	assert_non_null(err.hint);
	xb_store_free(store);
}

static void a_fetch_can_be_stopped(void **state)
{
	xb_auto_store struct xb_store *store = store_with(at_both, GIVE, GIVE);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	atomic_store(&stop, true);
	xb_supply_stop_at(store, &stop);
	assert_int_equal(supply(store, &err), -ECANCELED);
	assert_int_equal(err.fault, XB_FAULT_INTERRUPTED);
	assert_int_equal(atomic_load(&two.gets), 0);
	assert_int_equal(count_in("store/ingest"), 0);
}

static void *want(void *context)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	return supply(context, &err) == 0 ? NULL : context;
}

/* Threads, and another process's view of the same store. */
static void many_want_it_one_gets_it(void **state)
{
	struct xb_store *store = store_with(at_one, GIVE, MISS);
	struct xb_store *second = store_with(at_one, GIVE, MISS);
	pthread_t threads[8];

	(void)state;
	for (size_t i = 0; i < XB_COUNT(threads); i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, want, i % 2 > 0 ? store : second), 0);
	for (size_t i = 0; i < XB_COUNT(threads); i++) {
		void *failed = store;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(atomic_load(&one.gets), 1);
	assert_blob(store);
	xb_store_free(second);
	xb_store_free(store);
}

/* An image of the store whose only layer is elsewhere, tagged "app". */
static void tag_lacking(struct xb_store *store)
{
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	xb_auto_descriptors struct xb_descriptors layers = { 0 };
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	config.platform = (struct xb_platform){ .os = "linux", .arch = "amd64" };
	descriptor(xb_array_push(&layers));
	*xb_array_push(&config.diff_ids) = layers.items[0].digest;
	check(xb_image_write(xb_store_layout(store), &config, &layers, NULL, 0, &d, &err), &err);
	check(xb_tag_set(store, "app", &d, &err), &err);
}

static uint64_t flaws_of(struct xb_store *store)
{
	struct xb_verified verified = { 0 };

	assert_int_equal(xb_store_verify(store, &(struct xb_verify){ 0 }, &verified, NULL), 0);
	return verified.flaws;
}

static bool is_known(struct xb_store *store)
{
	xb_auto_descriptor struct xb_descriptor blob = XB_DESCRIPTOR_INIT;

	descriptor(&blob);
	return xb_origin_known(store, &blob.digest);
}

/* As long as a tag needs it, it is known where the layer is; and the image is sound. */
static void an_image_may_lack_what_is_elsewhere(void **state)
{
	struct xb_store *store = store_with(at_one, GIVE, MISS);
	struct xb_store_pruned pruned;

	(void)state;
	tag_lacking(store);
	assert_int_equal(flaws_of(store), 0);
	assert_int_equal(xb_store_prune(store, true, &pruned, NULL), 0);
	assert_true(is_known(store));
	assert_int_equal(xb_tag_remove(store, "app", NULL), 0);
	xb_store_free(store);
	/* what this process made is held by it until here */
	store = open_store();
	assert_int_equal(xb_store_prune(store, true, &pruned, NULL), 0);
	assert_false(is_known(store));
	xb_store_free(store);
}

/* A build that was told of a layer, and has no image of it yet, needs to know where it is. */
static void what_a_build_asked_for_stays_known(void **state)
{
	struct xb_store *store = store_with(at_one, GIVE, MISS);
	xb_auto_descriptor struct xb_descriptor blob = XB_DESCRIPTOR_INIT;
	struct xb_store_pruned pruned;

	(void)state;
	descriptor(&blob);
	assert_false(xb_blob_is_whole(store, &blob));
	assert_int_equal(xb_store_prune(store, true, &pruned, NULL), 0);
	assert_true(is_known(store));
	xb_store_free(store);
	store = open_store();
	assert_int_equal(xb_store_prune(store, true, &pruned, NULL), 0);
	assert_false(is_known(store));
	xb_store_free(store);
}

static void an_image_may_not_lack_what_is_nowhere(void **state)
{
	static const char *const none[] = { NULL };
	xb_auto_store struct xb_store *store = store_with(none, GIVE, MISS);

	(void)state;
	tag_lacking(store);
	assert_int_equal(flaws_of(store), 1);
}

static int append(void *context, const void *data, size_t len, struct xb_error *err)
{
	(void)err;
	return xb_str_append(context, data, len);
}

/* Whoever reads an image through the store's place need not know. */
static void the_place_gives_it_without_keeping_it(void **state)
{
	xb_auto_store struct xb_store *store = store_with(at_one, GIVE, MISS);
	struct xb_store_place from = xb_store_place(store);
	xb_auto_descriptor struct xb_descriptor blob = XB_DESCRIPTOR_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(100);
	const struct xb_blob_sink sink = { .context = &text, .write = append };
	int fd = -1;

	(void)state;
	descriptor(&blob);
	assert_int_equal(from.place.ops->check(&from.place, &blob, NULL), 0);
	assert_int_equal(from.place.ops->open(&from.place, &blob, &fd, NULL), -EREMOTE);
	assert_int_equal(from.place.ops->get(&from.place, &blob, &sink, NULL), 0);
	assert_string_equal(xb_str_text(&text), BYTES);
	assert_false(xb_blob_has(store, &blob.digest));
	assert_ptr_equal(from.place.ops->origin(&from.place, &blob, 0), &one.place);
	assert_null(from.place.ops->origin(&from.place, &blob, 1));
	assert_int_equal(supply(store, NULL), 0);
	assert_int_equal(from.place.ops->open(&from.place, &blob, &fd, NULL), 0);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(what_is_elsewhere_comes_when_it_is_needed),
		scratch_test(the_next_origin_is_asked),
		scratch_test(who_looks_on_is_told_what_is_there),
		scratch_test(nothing_is_left_of_what_fails),
		scratch_test(who_is_nowhere_is_told_so),
		scratch_test(a_fetch_can_be_stopped),
		scratch_test(many_want_it_one_gets_it),
		scratch_test(an_image_may_lack_what_is_elsewhere),
		scratch_test(what_a_build_asked_for_stays_known),
		scratch_test(an_image_may_not_lack_what_is_nowhere),
		scratch_test(the_place_gives_it_without_keeping_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
