/* SPDX-License-Identifier: Apache-2.0 */
/* A verification finds what is wrong, and takes it away when it is asked to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/cache/verify.h"
#include "tests/unit/builder/cache/fixture.h"

static void collect(void *context, const struct xb_flaw *flaw)
{
	xb_strv_printf(context, "%s %s", flaw->kind, flaw->name);
}

/* What is wrong, one word a flaw ("blob sha256:…"), in order. */
static struct xb_strv flaws_of(bool repair)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_strv flaws = XB_STRV_INIT;
	const struct xb_verify what = { .repair = repair, .visit = collect, .context = &flaws };
	struct xb_verified verified;

	check(xb_store_verify(store, &what, &verified, &err), &err);
	assert_int_equal(verified.flaws, flaws.len);
	assert_int_equal(verified.repaired, repair ? flaws.len : 0);
	return flaws;
}

/* A tagged result and a loose one; `ret` is the tagged one's record. */
static void make_store(struct xb_record *ret)
{
	struct xb_store *store = open_store();

	*ret = result_of(store, "tagged");
	(void)tag_image(store, "a:latest", ret);
	(void)result_of(store, "loose");
	xb_store_free(store);
}

static char *blob_file(const struct xb_record *record)
{
	return xb_format("store/blobs/sha256/%s", xb_digest_hex(&record->blob));
}

/* These and no others are wrong; after a repair nothing is. */
static void assert_flaws(const char *const *expected, size_t count)
{
	for (int repair = 0; repair < 2; repair++) {
		xb_auto_strv struct xb_strv flaws = flaws_of(repair != 0);

		assert_int_equal(flaws.len, count);
		for (size_t i = 0; i < count; i++)
			assert_string_equal(flaws.items[i], expected[i]);
	}
	xb_auto_strv struct xb_strv after = flaws_of(false);
	assert_int_equal(after.len, 0);
}

static void a_store_is_right(void **state)
{
	struct xb_record record;

	(void)state;
	make_store(&record);
	assert_flaws(NULL, 0);
}

static void a_damaged_blob_is_found(void **state)
{
	struct xb_record record;
	xb_autofree char *file = NULL;
	xb_autofree char *flaw = NULL;
	xb_auto_strv struct xb_strv flaws = XB_STRV_INIT;

	(void)state;
	make_store(&record);
	file = blob_file(&record);
	flaw = xb_format("blob %s", record.blob.text);
	assert_int_equal(chmod(scratch_path(file), 0600), 0);
	scratch_write(file, "Tagged");
	flaws = flaws_of(false);
	assert_int_equal(flaws.len, 1);
	assert_string_equal(flaws.items[0], flaw);
	xb_strv_clear(&flaws);
	/* the tag and the record that need it go with it */
	flaws = flaws_of(true);
	assert_int_equal(flaws.len, 3);
	assert_string_equal(flaws.items[1], "tag a:latest");
	assert_string_equal(flaws.items[2], "record tagged");
	assert_flaws(NULL, 0);
}

static void a_record_without_its_tree_is_found(void **state)
{
	struct xb_record record;
	xb_autofree char *tree = NULL;

	(void)state;
	make_store(&record);
	tree = xb_format("store/snapshots/%s", record.snapshot.id);
	assert_int_equal(xb_remove_tree_at(AT_FDCWD, scratch_path(tree), NULL), 0);
	assert_flaws((const char *[]){ "record tagged" }, 1);
}

static void an_image_without_a_blob_is_found(void **state)
{
	struct xb_record record;
	xb_autofree char *file = NULL;

	(void)state;
	make_store(&record);
	file = blob_file(&record);
	assert_int_equal(unlink(scratch_path(file)), 0);
	assert_flaws((const char *[]){ "tag a:latest", "record tagged" }, 2);
}

static void what_is_nobodys_is_found(void **state)
{
	struct xb_record record;

	(void)state;
	make_store(&record);
	assert_int_equal(mkdir(scratch_path("store/snapshots/nobody"), 0700), 0);
	scratch_write("store/ingest/1-boot-0.0", "half");
	assert_flaws((const char *[]){ "orphan ingest/1-boot-0.0", "orphan snapshots/nobody" }, 2);
}

static void a_broken_index_is_said_so(void **state)
{
	struct xb_record record;
	xb_auto_strv struct xb_strv flaws = XB_STRV_INIT;

	(void)state;
	make_store(&record);
	scratch_write("store/index.json", "{");
	flaws = flaws_of(false);
	assert_int_equal(flaws.len, 1);
	assert_string_equal(flaws.items[0], "index index.json");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_store_is_right),
		scratch_test(a_damaged_blob_is_found),
		scratch_test(a_record_without_its_tree_is_found),
		scratch_test(an_image_without_a_blob_is_found),
		scratch_test(what_is_nobodys_is_found),
		scratch_test(a_broken_index_is_said_so),
	};

	return cmocka_run_group_tests_name("builder/cache verify", tests, NULL, NULL);
}
