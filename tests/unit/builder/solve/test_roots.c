/* SPDX-License-Identifier: Apache-2.0 */
/* What names of images mean: by the store's tags, by what was said last, by pins. No network. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "builder/cache/blob.h"
#include "builder/cache/name.h"
#include "builder/cache/prune.h"
#include "builder/cache/tag.h"
#include "builder/solve/roots.h"
#include "tests/unit/builder/solve/images.h"
#include "tests/unit/scratch.h"

#define OTHER "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static struct xb_store *store;
static struct xb_roots *roots;
static struct xb_pins pins;
static struct xb_error error;

static int setup(void **state)
{
	return scratch_setup(state) < 0 ? -1 : xb_store_open(scratch_path("store"), &store, NULL);
}

static int teardown(void **state)
{
	xb_roots_free(XB_STEAL(roots));
	xb_store_free(XB_STEAL(store));
	xb_pins_clear(&pins);
	xb_error_clear(&error);
	return scratch_teardown(state);
}

static void policy(const struct xb_roots_policy *how)
{
	xb_roots_free(roots);
	roots = xb_roots_new(store, NULL, how);
}

/* An image of the store, with this tag or (NULL) none. */
static void add_stored(const char *bytes, const char *tag, struct xb_descriptor *ret)
{
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;

	(void)add_image(xb_store_layout(store), "amd64", bytes, bytes);
	assert_int_equal(xb_tag_get(store, bytes, &root, NULL), 0);
	assert_int_equal(xb_tag_remove(store, bytes, NULL), 0);
	xb_annotations_clear(&root.annotations);
	if (tag != NULL)
		assert_int_equal(xb_tag_set(store, tag, &root, NULL), 0);
	*ret = root;
	root = XB_DESCRIPTOR_INIT;
}

static void pin(const char *reference, const struct xb_digest *digest)
{
	xb_pins_set_image(&pins, reference, reference, digest, "linux/amd64", digest);
}

static void finds(const char *name, const struct xb_descriptor *expected)
{
	const struct xb_root *root = NULL;

	xb_error_clear(&error);
	if (xb_roots_find(roots, name, &root, &error) < 0)
		fail_msg("%s: %s", name, error.message);
	assert_string_equal(root->descriptor.digest.text, expected->digest.text);
	assert_int_equal(root->descriptor.size, expected->size);
	assert_string_equal(root->name, name);
}

static void fails(const char *name, int r, enum xb_fault fault, const char *message)
{
	const struct xb_root *root = NULL;

	xb_error_clear(&error);
	assert_int_equal(xb_roots_find(roots, name, &root, &error), r);
	assert_int_equal(error.fault, fault);
	if (strstr(error.message, message) == NULL)
		fail_msg("%s", error.message);
}

static void tags_of_the_store_come_first(void **state)
{
	xb_auto_descriptor struct xb_descriptor one = XB_DESCRIPTOR_INIT;

	(void)state;
	add_stored("one", "debian:12", &one);
	policy(&(struct xb_roots_policy){ 0 });
	finds("debian:12", &one);
	finds("docker.io/library/debian:12", &one);
	fails("debian:13", -ENOENT, XB_FAULT_REGISTRY, "registries are not asked");
	assert_true(xb_roots_know(roots, "debian:12"));
	assert_false(xb_roots_know(roots, "debian:13"));
	fails("Debian", -EINVAL, XB_FAULT_SOURCE, "");
	/* asked to look elsewhere, with nobody to ask */
	policy(&(struct xb_roots_policy){ .fresh = true });
	fails("debian:12", -ENOENT, XB_FAULT_REGISTRY, "registries are not asked");
}

static void offline_what_was_said_last_counts(void **state)
{
	static const struct xb_roots_policy offline = { .offline = true };
	xb_auto_descriptor struct xb_descriptor one = XB_DESCRIPTOR_INIT;
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	xb_auto_strv struct xb_strv missing = XB_STRV_INIT;

	(void)state;
	add_stored("one", NULL, &one);
	policy(&offline);
	xb_strv_push(&names, "host.io/a:1");
	xb_strv_push(&names, "host.io/b");
	xb_roots_expect(roots, &names);
	xb_roots_missing(roots, XB_ROOT_NOT_HERE, &missing);
	assert_int_equal(missing.len, 2);
	fails("host.io/a:1", -ENETUNREACH, XB_FAULT_REGISTRY,
	      "--offline, and not in the store: host.io/a:1");
	assert_non_null(error.hint);
	/* an error is given once: then it is looked for again */
	assert_int_equal(xb_name_put(store, "host.io/a:1", &one, NULL), 0);
	finds("host.io/a:1", &one);
	fails("host.io/b", -ENETUNREACH, XB_FAULT_REGISTRY, "host.io/b");
}

/* The last word counts; a name whose document is gone is not known any more. */
static void names_are_noted_and_forgotten(void **state)
{
	xb_auto_descriptor struct xb_descriptor one = XB_DESCRIPTOR_INIT;
	xb_auto_descriptor struct xb_descriptor two = XB_DESCRIPTOR_INIT;
	xb_auto_descriptor struct xb_descriptor got = XB_DESCRIPTOR_INIT;
	xb_auto_descriptor struct xb_descriptor none = XB_DESCRIPTOR_INIT;
	struct xb_store_pruned pruned;

	(void)state;
	add_stored("one", NULL, &one);
	add_stored("two", "kept", &two);
	assert_int_equal(xb_name_put(store, "host.io/x:1", &one, NULL), 0);
	assert_int_equal(xb_name_put(store, "host.io/y:1", &one, NULL), 0);
	assert_int_equal(xb_name_put(store, "host.io/x:1", &two, NULL), 0);
	assert_int_equal(xb_name_get(store, "host.io/x:1", &got, NULL), 1);
	assert_string_equal(got.digest.text, two.digest.text);
	assert_string_equal(got.media_type, two.media_type);
	assert_int_equal(xb_name_get(store, "host.io/z:1", &none, NULL), 0);
	/* what this process was given is held as long as it has the store open */
	xb_store_free(store);
	assert_int_equal(xb_store_open(scratch_path("store"), &store, NULL), 0);
	assert_int_equal(xb_store_prune(store, true, &pruned, NULL), 0);
	assert_int_equal(xb_name_get(store, "host.io/y:1", &none, NULL), 0);
	xb_descriptor_clear(&got);
	assert_int_equal(xb_name_get(store, "host.io/x:1", &got, NULL), 1);
}

static void pins_say_what_it_is(void **state)
{
	const struct xb_roots_policy locked = { .offline = true, .pins = &pins, .locked = true };
	xb_auto_descriptor struct xb_descriptor one = XB_DESCRIPTOR_INIT;
	xb_auto_descriptor struct xb_descriptor two = XB_DESCRIPTOR_INIT;
	xb_autofree char *by_digest = NULL;
	xb_autofree char *key = NULL;

	(void)state;
	add_stored("one", NULL, &one);
	add_stored("two", "host.io/x:1", &two);
	policy(&locked);
	fails("host.io/x:1", -ENOKEY, XB_FAULT_PROOF,
	      "--locked, and not in xbuild.lock: host.io/x:1");
	pin("host.io/x:1", &one.digest);
	/* the tag of the store means another image, and the pinned one is not there */
	fails("host.io/x:1", -ENETUNREACH, XB_FAULT_REGISTRY, "--offline");
	key = xb_format("host.io/x@%s", one.digest.text);
	assert_int_equal(xb_name_put(store, key, &one, NULL), 0);
	finds("host.io/x:1", &one);
	/* pinned by the Dockerfile, otherwise */
	by_digest = xb_format("host.io/x@%s", two.digest.text);
	pin(by_digest, &one.digest);
	fails(by_digest, -EBADMSG, XB_FAULT_PROOF, "and xbuild.lock says sha256:");
	assert_non_null(strstr(error.hint, "--update"));
}

static void platforms_are_checked(void **state)
{
	static const struct xb_platform amd64 = { .os = "linux", .arch = "amd64" };
	static const struct xb_platform arm64 = { .os = "linux", .arch = "arm64" };
	const struct xb_roots_policy locked = { .pins = &pins, .locked = true };
	xb_auto_descriptor struct xb_descriptor one = XB_DESCRIPTOR_INIT;
	const struct xb_root *root = NULL;
	struct xb_digest other;

	(void)state;
	assert_int_equal(xb_digest_parse(xb_view(OTHER), &other, NULL), 0);
	add_stored("one", "host.io/x:1", &one);
	pin("host.io/x:1", &one.digest);
	policy(&locked);
	assert_int_equal(xb_roots_find(roots, "host.io/x:1", &root, NULL), 0);
	assert_false(xb_pins_image(&pins, "host.io/x:1")->used);
	assert_int_equal(xb_roots_check(roots, root, &amd64, &one.digest, NULL), 0);
	assert_true(xb_pins_image(&pins, "host.io/x:1")->used);
	assert_int_equal(xb_roots_check(roots, root, &amd64, &other, &error), -EBADMSG);
	assert_int_equal(error.fault, XB_FAULT_PROOF);
	xb_error_clear(&error);
	assert_int_equal(xb_roots_check(roots, root, &arm64, &one.digest, &error), -ENOKEY);
	assert_non_null(strstr(error.message, "host.io/x:1 for linux/arm64"));
}

static void *find_it(void *context)
{
	const struct xb_root *root = NULL;

	(void)context;
	return xb_roots_find(roots, "host.io/x:1", &root, NULL) == 0 ? (void *)(uintptr_t)root
								     : NULL;
}

static void threads_get_the_same(void **state)
{
	xb_auto_descriptor struct xb_descriptor one = XB_DESCRIPTOR_INIT;
	pthread_t threads[8];
	void *found[8];

	(void)state;
	add_stored("one", "host.io/x:1", &one);
	policy(&(struct xb_roots_policy){ 0 });
	for (size_t i = 0; i < XB_COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, find_it, NULL), 0);
	for (size_t i = 0; i < XB_COUNT(threads); i++)
		assert_int_equal(pthread_join(threads[i], &found[i]), 0);
	for (size_t i = 0; i < XB_COUNT(threads); i++) {
		assert_non_null(found[i]);
		assert_ptr_equal(found[i], found[0]);
	}
}

#define roots_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		roots_test(tags_of_the_store_come_first),
		roots_test(offline_what_was_said_last_counts),
		roots_test(names_are_noted_and_forgotten),
		roots_test(pins_say_what_it_is),
		roots_test(platforms_are_checked),
		roots_test(threads_get_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
