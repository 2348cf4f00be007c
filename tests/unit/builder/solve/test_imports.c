/* SPDX-License-Identifier: Apache-2.0 */
/* Caches that a build looks into: what is found is recorded, what is bad is told of once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "builder/cache/blob.h"
#include "builder/solve/depot.h"
#include "builder/solve/imports.h"
#include "manifest/media.h"
#include "manifest/place_layout.h"
#include "tests/unit/scratch.h"

static struct xb_store *store;
static struct xb_step steps[] = { { .platform = { .os = "linux", .arch = "amd64" } } };
static const struct xb_plan plan = { .steps = steps, .step_count = 1 };
static const struct xb_platform arm64 = { .os = "linux", .arch = "arm64" };

static int setup(void **state)
{
	if (scratch_setup(state) < 0)
		return -1;
	return xb_store_open(scratch_path("store"), &store, NULL);
}

static int teardown(void **state)
{
	xb_store_free(XB_STEAL(store));
	return scratch_teardown(state);
}

static struct xb_record record_of(unsigned n)
{
	struct xb_record record = {
		.diff_id = xb_digest_of(&n, sizeof(n)),
		.blob = xb_digest_of(&n, sizeof(n)),
		.blob_size = sizeof(n),
		.created = 1700000000,
	};

	(void)snprintf(record.key, sizeof(record.key), XB_RECORD_STEP "%s", record.blob.text);
	(void)snprintf(record.media_type, sizeof(record.media_type), "%s", XB_MEDIA_OCI_LAYER);
	(void)snprintf(record.title, sizeof(record.title), "RUN %u", n);
	return record;
}

static struct xb_place *source(void *context, const struct xb_catalog_record *record)
{
	(void)record;
	return context;
}

/* Write a cache `name` with the record of step `n`. */
static void make_cache(const char *name, const struct xb_platform *platform, unsigned n)
{
	xb_auto_layout struct xb_layout *from = NULL;
	xb_auto_layout struct xb_layout *into = NULL;
	xb_auto_depot_entries struct xb_depot_entries entries = { 0 };
	struct xb_record record = record_of(n);
	struct xb_catalog_record line = xb_catalog_from_record(&record, 1700000000);
	struct xb_depot_written written;
	struct xb_layout_place place, blobs;
	struct xb_depot depot = { .tag = "latest", .name = name };
	struct xb_depot_writing what = { .entries = &entries, .source = source, .now = 1700000000 };
	struct xb_view bytes = { (const char *)&n, sizeof(n) };

	assert_int_equal(xb_layout_create(scratch_path("blobs"), &from, NULL), 0);
	assert_int_equal(xb_layout_create(scratch_path(name), &into, NULL), 0);
	assert_int_equal(xb_layout_add_bytes(from, bytes, false, NULL, NULL), 0);
	blobs = xb_layout_place(from);
	place = xb_layout_place_rw(into, false);
	depot.place = &place.place;
	what.context = &blobs.place;
	(void)xb_catalog_add(xb_depot_entry(&entries, platform), &line);
	assert_int_equal(xb_depot_write(&depot, &what, &written, NULL), 0);
}

/* Look for steps 0 to `count` - 1 in the caches `names`; returns which were found, as bits. */
static unsigned find(const char *const *names, unsigned count, struct xb_strv *warnings)
{
	xb_auto_cache_specs struct xb_cache_specs specs = { 0 };
	xb_auto_imports struct xb_imports *imports = NULL;
	unsigned found = 0;

	for (size_t i = 0; names[i] != NULL; i++) {
		xb_autofree char *text = xb_format("type=local,src=%s", scratch_path(names[i]));

		assert_int_equal(xb_cache_from_parse(text, &specs, NULL), 0);
	}
	assert_int_equal(xb_imports_new(store, &plan, &specs, NULL, &imports, NULL), 0);
	for (unsigned n = 0; n < count; n++) {
		struct xb_record wanted = record_of(n);
		struct xb_record got = { 0 };

		if (!xb_imports_find(imports, wanted.key, &got, warnings))
			continue;
		assert_string_equal(got.key, wanted.key);
		assert_string_equal(got.title, wanted.title);
		assert_string_equal(got.note, XB_RECORD_STACKED);
		assert_true(xb_digest_eq(&got.diff_id, &wanted.diff_id));
		assert_null(xb_imports_left(imports, wanted.key));
		found |= 1U << n;
	}
	return found;
}

static void test_found_and_recorded(void **state)
{
	static const char *const names[] = { "a", "b", NULL };
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	struct xb_record wanted = record_of(1);
	struct xb_record known = { 0 };

	(void)state;
	make_cache("a", &steps[0].platform, 0);
	make_cache("b", &steps[0].platform, 1);
	make_cache("b", &arm64, 2);
	assert_int_equal(xb_record_get(store, wanted.key, &known, NULL), 0);
	/* what is of a platform that the plan has not is not read */
	assert_int_equal(find(names, 3, &warnings), 3);
	assert_int_equal(warnings.len, 0);
	assert_int_equal(xb_record_get(store, wanted.key, &known, NULL), 1);
	assert_true(xb_blob_has(store, &known.blob));
}

static void test_none(void **state)
{
	struct xb_record record = { 0 };
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;

	(void)state;
	assert_false(xb_imports_find(NULL, record_of(0).key, &record, &warnings));
	assert_null(xb_imports_left(NULL, record_of(0).key));
	assert_false(xb_imports_distrust(NULL, &XB_ERROR_INIT));
	xb_imports_record(NULL);
}

static void test_one_warning_each(void **state)
{
	static const char *const names[] = { "missing", "a", "empty", "b", NULL };
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	struct xb_record lost = record_of(0);
	xb_autofree char *path = NULL;

	(void)state;
	make_cache("a", &steps[0].platform, 0);
	make_cache("a", &steps[0].platform, 1);
	make_cache("b", &steps[0].platform, 2);
	make_cache("empty", &arm64, 3);
	path = xb_format("%s/blobs/sha256/%s", scratch_path("a"), xb_digest_hex(&lost.blob));
	assert_int_equal(unlink(path), 0);
	/* a cache that does not give what it has is not asked any more */
	assert_int_equal(find(names, 4, &warnings), 4);
	assert_int_equal(warnings.len, 2);
	assert_non_null(strstr(warnings.items[0], "/missing: "));
	assert_non_null(strstr(warnings.items[1], "/a: "));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_found_and_recorded),
		TEST(test_none),
		TEST(test_one_warning_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
