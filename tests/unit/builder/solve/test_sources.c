/* SPDX-License-Identifier: Apache-2.0 */
/* Where base images come from: --build-context in all its spellings, and the store's tags. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "builder/cache/blob.h"
#include "builder/cache/tag.h"
#include "builder/plan/fetch.h"
#include "builder/solve/sources.h"
#include "tests/unit/builder/solve/images.h"
#include "tests/unit/scratch.h"

static const struct xb_platform amd64 = { .os = "linux", .arch = "amd64" };
static const struct xb_platform arm64 = { .os = "linux", .arch = "arm64" };

static struct xb_store *store;
static struct xb_layout *layout;
static struct xb_sources *sources;
static struct xb_strv named;
static struct xb_error error;

static int setup(void **state)
{
	if (scratch_setup(state) < 0 || xb_store_open(scratch_path("store"), &store, NULL) < 0)
		return -1;
	return xb_layout_create(scratch_path("l"), &layout, NULL);
}

static int teardown(void **state)
{
	xb_sources_free(XB_STEAL(sources));
	xb_layout_free(XB_STEAL(layout));
	xb_store_free(XB_STEAL(store));
	xb_strv_clear(&named);
	xb_error_clear(&error);
	return scratch_teardown(state);
}

/* Make sources with one more --build-context: NAME, "=", `scheme`, the scratch path of `rest`. */
static int add_named(const char *name, const char *scheme, const char *rest)
{
	struct xb_sources *made = NULL;
	int r;

	xb_sources_free(XB_STEAL(sources));
	xb_error_clear(&error);
	xb_strv_printf(&named, "%s=%s%s", name, scheme, scratch_path(rest));
	r = xb_sources_new(store, &named, &made, &error);
	sources = made;
	return r;
}

/* The image that `name` is for a platform, or NULL with `error` set. */
static const struct xb_image *find(const char *name, const struct xb_platform *platform)
{
	struct xb_plan_sources view = xb_sources_for_plan(sources);
	const struct xb_image *image = NULL;

	xb_error_clear(&error);
	if (view.image(view.context, name, platform, false, &image, &error) < 0)
		return NULL;
	return image;
}

static void finds(const char *name, const struct xb_digest *digest)
{
	const struct xb_image *image = find(name, &amd64);

	if (image == NULL)
		fail_msg("%s: %s", name, error.message);
	assert_string_equal(image->descriptor.digest.text, digest->text);
}

static enum xb_source_kind kind(const char *name)
{
	struct xb_plan_sources view = xb_sources_for_plan(sources);

	return view.kind(view.context, name);
}

static void test_layouts(void **state)
{
	struct xb_digest one = add_image(layout, "amd64", "one", "one");
	struct xb_digest two = add_image(layout, "amd64", "two", "two");
	xb_autofree char *by_digest = xb_format("l@%s", two.text);
	xb_autofree char *by_both = xb_format("l:one@%s", two.text);

	(void)state;
	assert_int_equal(add_named("a", "oci-layout://", "l:one"), 0);
	assert_int_equal(add_named("b", "oci-layout://", "l:two"), 0);
	assert_int_equal(add_named("c", "oci-layout://", by_digest), 0);
	/* the digest says which, the tag is for people */
	assert_int_equal(add_named("d", "oci-layout://", by_both), 0);
	assert_int_equal(add_named("e", "oci-layout://", "l:nonesuch"), 0);
	assert_int_equal(add_named("f", "oci-layout://", "l"), 0);
	finds("a", &one);
	finds("b", &two);
	finds("c", &two);
	finds("d", &two);
	assert_int_equal(kind("a"), XB_SOURCE_NAMED);
	assert_null(xb_sources_directory(sources, "a"));
	assert_null(find("e", &amd64));
	assert_int_equal(error.code, -ENOENT);
	assert_non_null(strstr(error.message, "nonesuch"));
	/* which of two, nobody said */
	assert_null(find("f", &amd64));
}

static void test_only_entry(void **state)
{
	struct xb_digest one = add_image(layout, "amd64", "one", NULL);

	(void)state;
	assert_int_equal(add_named("a", "oci-layout://", "l"), 0);
	finds("a", &one);
}

/* A colon in the name of a directory is no tag. */
static void test_directory_with_a_colon(void **state)
{
	xb_auto_layout struct xb_layout *other = NULL;
	struct xb_digest one;

	(void)state;
	assert_int_equal(mkdirat(scratch_fd, "x:y", 0755), 0);
	assert_int_equal(xb_layout_create(scratch_path("x:y/z"), &other, NULL), 0);
	one = add_image(other, "amd64", "one", "t");
	assert_int_equal(add_named("a", "oci-layout://", "x:y/z:t"), 0);
	assert_int_equal(add_named("b", "oci-layout://", "x:y/z"), 0);
	finds("a", &one);
	finds("b", &one);
}

/* debian, docker.io/library/debian and debian:latest are one image. */
static void test_spellings(void **state)
{
	struct xb_digest one = add_image(layout, "amd64", "one", "one");
	struct xb_digest two = add_image(layout, "amd64", "two", "two");
	static const char *const same[] = { "debian", "debian:latest", "docker.io/library/debian",
					    "docker.io/debian:latest",
					    "index.docker.io/library/debian:latest" };
	static const char *const other[] = { "debian:12", "library/debian2", "quay.io/debian",
					     "Debian", "debia" };

	(void)state;
	assert_int_equal(add_named("debian", "oci-layout://", "l:one"), 0);
	assert_int_equal(add_named("ghcr.io/a/b:1", "oci-layout://", "l:two"), 0);
	for (size_t i = 0; i < XB_COUNT(same); i++)
		finds(same[i], &one);
	for (size_t i = 0; i < XB_COUNT(other); i++)
		assert_null(find(other[i], &amd64));
	finds("ghcr.io/a/b:1", &two);
	assert_null(find("ghcr.io/a/b", &amd64));
	/* and the other way round */
	xb_strv_clear(&named);
	assert_int_equal(add_named("docker.io/library/debian:latest", "oci-layout://", "l:one"), 0);
	finds("debian", &one);
}

static void test_platforms(void **state)
{
	const struct xb_image *image;

	(void)state;
	(void)add_image(layout, "arm64", "one", "one");
	assert_int_equal(add_named("a", "oci-layout://", "l:one"), 0);
	image = find("a", &arm64);
	assert_non_null(image);
	/* asked for again, it is the very same */
	assert_ptr_equal(find("a", &arm64), image);
	assert_null(find("a", &amd64));
	assert_int_equal(error.fault, XB_FAULT_PLATFORM);
}

static void test_directories(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(scratch_fd, "files", 0755), 0);
	assert_int_equal(add_named("config", "", "files"), 0);
	assert_int_equal(kind("config"), XB_SOURCE_DIRECTORY);
	assert_int_equal(kind("configs"), XB_SOURCE_IMAGE);
	assert_non_null(xb_sources_directory(sources, "config"));
	assert_null(xb_sources_directory(sources, "configs"));
}

/* NAME::PLATFORM is for that platform alone, and comes before NAME. */
static void test_names_for_platforms(void **state)
{
	static const struct xb_platform arm = { .os = "linux", .arch = "arm", .variant = "v7" };
	xb_autofree char *for_arm = NULL;
	xb_autofree char *for_amd64 = NULL;
	struct xb_plan_sources view;

	(void)state;
	assert_int_equal(mkdirat(scratch_fd, "one", 0755), 0);
	assert_int_equal(mkdirat(scratch_fd, "two", 0755), 0);
	assert_int_equal(add_named("debian:base::linux/arm/v7", "", "one"), 0);
	assert_int_equal(kind("debian:base"), XB_SOURCE_IMAGE);
	assert_int_equal(add_named("debian:base", "", "two"), 0);
	assert_int_equal(kind("debian:base"), XB_SOURCE_DIRECTORY);
	assert_int_equal(kind("docker.io/library/debian:base::linux/arm"), XB_SOURCE_DIRECTORY);
	assert_int_equal(kind("debian:base::linux/arm64"), XB_SOURCE_IMAGE);
	assert_ptr_not_equal(xb_sources_directory(sources, "debian:base::linux/arm/v7"),
			     xb_sources_directory(sources, "debian:base"));
	view = xb_sources_for_plan(sources);
	for_arm = xb_named_for(&view, "debian:base", &arm);
	for_amd64 = xb_named_for(&view, "debian:base", &amd64);
	assert_string_equal(for_arm, "debian:base::linux/arm/v7");
	assert_string_equal(for_amd64, "debian:base");
	assert_true(add_named("x::linux/nonesuch/v1/v2", "", "one") < 0);
	assert_int_equal(error.fault, XB_FAULT_USAGE);
	assert_non_null(strstr(error.message, "--build-context x::linux/nonesuch"));
}

/* An image that was taken for a platform that is not its own is not found for it afterwards. */
static void test_mismatch_is_not_remembered(void **state)
{
	struct xb_plan_sources view;
	const struct xb_image *image = NULL;

	(void)state;
	(void)add_image(layout, "amd64", "one", "one");
	assert_int_equal(add_named("a", "oci-layout://", "l:one"), 0);
	view = xb_sources_for_plan(sources);
	assert_null(find("a", &arm64));
	assert_int_equal(view.image(view.context, "a", &arm64, true, &image, NULL), 0);
	assert_non_null(image);
	assert_null(find("a", &arm64));
	assert_int_equal(error.fault, XB_FAULT_PLATFORM);
}

static void test_store_tags(void **state)
{
	struct xb_digest one = add_image(layout, "amd64", "one", "one");
	xb_auto_layout struct xb_layout *own = NULL;
	struct xb_digest stored;

	(void)state;
	assert_int_equal(xb_layout_open_at(xb_store_dirfd(store), ".", &own, NULL), 0);
	stored = add_image(own, "amd64", "stored", "app:1.0");
	(void)add_image(own, "amd64", "hidden", "debian");
	assert_int_equal(add_named("debian", "oci-layout://", "l:one"), 0);
	finds("app:1.0", &stored);
	finds("docker.io/library/app:1.0", &stored);
	/* what the user names wins over what the store has */
	finds("debian", &one);
	assert_null(find("app", &amd64));
	assert_int_equal(error.code, -ENOENT);
	assert_int_equal(error.fault, XB_FAULT_REGISTRY);
	assert_non_null(strstr(error.hint, "--build-context app="));
}

static void test_import(void **state)
{
	const struct xb_image *image;
	struct xb_image foreign = XB_IMAGE_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(100);

	(void)state;
	(void)add_image(layout, "amd64", "the bytes", "one");
	assert_int_equal(add_named("a", "oci-layout://", "l:one"), 0);
	image = find("a", &amd64);
	assert_non_null(image);
	assert_false(xb_blob_has(store, &image->manifest.layers.items[0].digest));
	assert_int_equal(xb_sources_import(sources, image, NULL), 0);
	assert_int_equal(xb_blob_read(store, &image->manifest.layers.items[0].digest, &text, NULL),
			 0);
	assert_string_equal(xb_str_text(&text), "the bytes");
	assert_int_equal(xb_sources_import(sources, image, NULL), 0);
	assert_true(xb_sources_import(sources, &foreign, NULL) < 0);
}

/* Bytes that are not what their digest says never enter the store. */
static void test_import_checks(void **state)
{
	const struct xb_image *image;
	xb_autofree char *blob = NULL;

	(void)state;
	(void)add_image(layout, "amd64", "the bytes", "one");
	assert_int_equal(add_named("a", "oci-layout://", "l:one"), 0);
	image = find("a", &amd64);
	assert_non_null(image);
	blob = xb_format("l/blobs/sha256/%s",
			 xb_digest_hex(&image->manifest.layers.items[0].digest));
	(void)unlink(scratch_path(blob));
	scratch_write(blob, "other one");
	assert_int_equal(xb_sources_import(sources, image, &error), -EBADMSG);
	assert_false(xb_blob_has(store, &image->manifest.layers.items[0].digest));
}

static int add_url(const char *url)
{
	struct xb_sources *made = NULL;
	int r;

	xb_sources_free(XB_STEAL(sources));
	xb_error_clear(&error);
	xb_strv_clear(&named);
	xb_strv_printf(&named, "a=%s", url);
	r = xb_sources_new(store, &named, &made, &error);
	sources = made;
	return r;
}

/* What is elsewhere is not touched until it is needed. */
static void test_elsewhere(void **state)
{
	static const char *const urls[] = { "http://h/x", "https://h/x.git#v1", "git@h:x",
					    "github.com/a/b" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(urls); i++) {
		struct xb_plan_sources view;

		assert_int_equal(add_url(urls[i]), 0);
		view = xb_sources_for_plan(sources);
		assert_int_equal(view.kind(view.context, "a"), XB_SOURCE_REMOTE);
		assert_string_equal(view.url(view.context, "a"), urls[i]);
		assert_null(xb_sources_directory(sources, "a"));
	}
	/* a repository that cannot be is refused at once */
	assert_true(add_url("https://u:hush@h/x.git?nonsense=1") < 0);
	assert_int_equal(error.fault, XB_FAULT_USAGE);
	assert_null(strstr(error.message, "hush"));
}

static void test_bad(void **state)
{
	static const char *const bad[] = { "name", "=value", "name=", "" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_auto_strv struct xb_strv list = XB_STRV_INIT;
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		struct xb_sources *made = NULL;

		xb_strv_push(&list, bad[i]);
		assert_true(xb_sources_new(store, &list, &made, &err) < 0);
		assert_int_equal(err.fault, XB_FAULT_USAGE);
		assert_null(made);
	}
	assert_true(add_named("a", "ftp://", "x") < 0);
	assert_int_equal(error.fault, XB_FAULT_USAGE);
	xb_strv_clear(&named);
	/* no capitals but in the name of a registry, which this is not: it has no slash after it */
	assert_true(add_url("docker-image://UPPER") < 0);
	assert_int_equal(error.fault, XB_FAULT_USAGE);
	xb_strv_clear(&named);
	assert_true(add_named("a", "", "nonesuch") < 0);
	assert_non_null(strstr(error.message, "--build-context a"));
	xb_strv_clear(&named);
	assert_true(add_named("a", "oci-layout://", "nonesuch") < 0);
	assert_int_equal(error.fault, XB_FAULT_USAGE);
}

/* Another name of an image, which need not be there as long as nobody asks for it. */
static void test_other_names(void **state)
{
	struct xb_digest digest = add_image(layout, "amd64", "one", "one");

	(void)state;
	xb_strv_push(&named, "b=docker-image://real:1");
	xb_strv_push(&named, "c=docker-image://nonesuch");
	xb_strv_push(&named, "d=docker-image://d");
	xb_strv_push(&named, "e=docker-image://b");
	assert_int_equal(add_named("docker.io/library/real:1", "oci-layout://", "l:one"), 0);
	assert_int_equal(kind("c"), XB_SOURCE_NAMED);
	finds("b", &digest);
	assert_null(find("c", &amd64));
	assert_non_null(strstr(error.message, "no image called nonesuch"));
	assert_null(find("d", &amd64));
	assert_null(find("e", &amd64));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_layouts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directory_with_a_colon, setup, teardown),
		cmocka_unit_test_setup_teardown(test_spellings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_platforms, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directories, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_for_platforms, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mismatch_is_not_remembered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_store_tags, setup, teardown),
		cmocka_unit_test_setup_teardown(test_import, setup, teardown),
		cmocka_unit_test_setup_teardown(test_import_checks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
