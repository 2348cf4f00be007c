/* SPDX-License-Identifier: Apache-2.0 */
/* A verification finds what is wrong, and takes it away when it is asked to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/cache/db.h"
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

/* The names that the store has, in a line. */
static char *names(void)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_tags struct xb_tags tags = { 0 };
	struct xb_str text = XB_STR_INIT(1 << 10);

	assert_int_equal(xb_tag_list(store, &tags, NULL), 0);
	for (size_t i = 0; i < tags.len; i++)
		xb_str_printf(&text, "%s;", tags.items[i].name);
	return xb_str_steal(&text);
}

static void assert_names(const char *expected)
{
	xb_autofree char *found = names();

	assert_string_equal(found, expected);
}

/* Tag another image, and remove the name of a third. */
static void make_names(void)
{
	struct xb_record record;
	struct xb_store *store;

	make_store(&record);
	store = open_store();
	(void)tag_image(store, "b:1", &record);
	(void)tag_image(store, "c:1", &record);
	assert_int_equal(xb_tag_remove(store, "c:1", NULL), 0);
	xb_store_free(store);
}

static void a_broken_index_is_made_anew(void **state)
{
	(void)state;
	make_names();
	scratch_write("store/index.json", "{");
	assert_flaws((const char *[]){ "index index.json" }, 1);
	assert_names("a:latest;b:1;");
	assert_int_equal(faccessat(scratch_fd, "store/index.json-damaged", F_OK, 0), 0);
}

static void a_missing_index_is_made_anew(void **state)
{
	(void)state;
	make_names();
	assert_int_equal(unlink(scratch_path("store/index.json")), 0);
	assert_flaws((const char *[]){ "index index.json" }, 1);
	assert_names("a:latest;b:1;");
}

/* Not even its names are known: the store is usable all the same. */
static void an_index_without_a_copy_is_empty(void **state)
{
	struct xb_record record;
	struct xb_store *store;

	(void)state;
	make_names();
	scratch_write("store/index.json", "{");
	scratch_write("store/index.json-copy", "[");
	assert_flaws((const char *[]){ "index index.json" }, 1);
	assert_names("");
	store = open_store();
	record = result_of(store, "tagged");
	(void)tag_image(store, "again:1", &record);
	xb_store_free(store);
	assert_names("again:1;");
}

/* A name that another tool has taken away is gone for good. */
static void others_may_change_the_index(void **state)
{
	(void)state;
	make_names();
	scratch_write("store/index.json", "{\"schemaVersion\":2,\"manifests\":[]}");
	assert_flaws(NULL, 0);
	assert_names("");
}

/* Overwrite so many bytes of the database with others, its log taken in. */
static void damage_database(off_t at, size_t len)
{
	struct xb_store *store = open_store();
	xb_autofree char *junk = xb_alloc(len);
	xb_auto_fd int fd = -1;

	assert_int_equal(xb_db_checkpoint(store, NULL), 0);
	xb_store_free(store);
	(void)unlink(scratch_path("store/xbuild.db-wal"));
	(void)unlink(scratch_path("store/xbuild.db-shm"));
	memset(junk, 'x', len);
	fd = openat(scratch_fd, "store/xbuild.db", O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, junk, len, at), len);
}

static bool starts_with(const struct xb_strv *flaws, const char *text)
{
	return flaws->len > 0 && strcmp(flaws->items[0], text) == 0;
}

/* The database is set aside: images stay, what it knew is gone, and the store works. */
static void assert_set_aside(void)
{
	xb_auto_strv struct xb_strv after = XB_STRV_INIT;
	struct xb_store *store;
	struct xb_record record;

	after = flaws_of(false);
	assert_int_equal(after.len, 0);
	assert_names("a:latest;b:1;");
	assert_int_equal(faccessat(scratch_fd, "store/xbuild.db-damaged", F_OK, 0), 0);
	store = open_store();
	assert_int_equal(xb_record_get(store, "tagged", &record, NULL), 0);
	(void)result_of(store, "tagged");
	assert_int_equal(xb_record_get(store, "tagged", &record, NULL), 1);
	xb_store_free(store);
}

/* Repair a store that may be too damaged to be opened. */
static struct xb_strv repaired(void)
{
	xb_auto_store struct xb_store *store = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_strv flaws = XB_STRV_INIT;
	const struct xb_verify what = { .repair = true, .visit = collect, .context = &flaws };
	struct xb_verified verified;

	check(xb_store_open_mending(scratch_path("store"), &store, &err), &err);
	check(xb_store_verify(store, &what, &verified, &err), &err);
	assert_int_equal(verified.repaired, verified.flaws);
	return flaws;
}

static void a_file_that_is_no_database_is_set_aside(void **state)
{
	xb_auto_strv struct xb_strv flaws = XB_STRV_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_store *store = NULL;

	(void)state;
	make_names();
	damage_database(0, 64);
	assert_int_equal(xb_store_open(scratch_path("store"), &store, &err), -EUCLEAN);
	assert_non_null(strstr(err.hint, "cache check --repair"));
	flaws = repaired();
	assert_true(starts_with(&flaws, "database xbuild.db"));
	assert_set_aside();
}

/* Wherever a page is overwritten: healed, or set aside; never an error of the repair. */
static void damaged_pages_are_repaired(void **state)
{
	struct stat st;

	(void)state;
	make_names();
	for (off_t at = 4096;; at += 4096) {
		xb_auto_strv struct xb_strv flaws = XB_STRV_INIT;
		xb_auto_strv struct xb_strv after = XB_STRV_INIT;

		assert_int_equal(stat(scratch_path("store/xbuild.db"), &st), 0);
		if (at >= st.st_size)
			break;
		damage_database(at, 4096);
		flaws = repaired();
		assert_true(starts_with(&flaws, "database xbuild.db"));
		after = flaws_of(false);
		assert_int_equal(after.len, 0);
		assert_names("a:latest;b:1;");
	}
	assert_set_aside();
}

/* A database that is not there is begun anew, as that of a new store. */
static void a_missing_database_is_begun_anew(void **state)
{
	xb_auto_strv struct xb_strv flaws = XB_STRV_INIT;

	(void)state;
	make_names();
	damage_database(0, 1);
	assert_int_equal(unlink(scratch_path("store/xbuild.db")), 0);
	flaws = repaired();
	assert_names("a:latest;b:1;");
	xb_strv_clear(&flaws);
	flaws = flaws_of(false);
	assert_int_equal(flaws.len, 0);
}

static void nobody_else_may_use_a_damaged_database(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_store *other = open_store();
	struct xb_store *store = NULL;
	xb_auto_fd int fd = -1;

	(void)state;
	fd = openat(scratch_fd, "store/xbuild.db", O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "x", 1, 0), 1);
	assert_int_equal(xb_store_open_mending(scratch_path("store"), &store, &err), -EBUSY);
	assert_non_null(strstr(err.hint, "wait"));
	xb_store_free(other);
	check(xb_store_open_mending(scratch_path("store"), &store, &err), &err);
	xb_store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_store_is_right),
		scratch_test(a_damaged_blob_is_found),
		scratch_test(a_record_without_its_tree_is_found),
		scratch_test(an_image_without_a_blob_is_found),
		scratch_test(what_is_nobodys_is_found),
		scratch_test(a_broken_index_is_made_anew),
		scratch_test(a_missing_index_is_made_anew),
		scratch_test(an_index_without_a_copy_is_empty),
		scratch_test(others_may_change_the_index),
		scratch_test(a_file_that_is_no_database_is_set_aside),
		scratch_test(damaged_pages_are_repaired),
		scratch_test(a_missing_database_is_begun_anew),
		scratch_test(nobody_else_may_use_a_damaged_database),
	};

	return cmocka_run_group_tests_name("builder/cache verify", tests, NULL, NULL);
}
