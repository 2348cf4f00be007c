/* SPDX-License-Identifier: Apache-2.0 */
/* What a reboot leaves of the store, and what tags wait for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "builder/cache/durable.h"
#include "tests/unit/builder/cache/fixture.h"

/* Instead of the C library's: how often the disk was waited for. */
static unsigned syncs;

int syncfs(int fd)
{
	syncs += fcntl(fd, F_GETFD) >= 0;
	return 0;
}

/* What a clock says that was set wrong: seconds that it is ahead. */
static time_t ahead;

time_t time(time_t *ret)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (ret != NULL)
		*ret = now.tv_sec + ahead;
	return now.tv_sec + ahead;
}

/* Ask the database itself, as nobody who opens the store could. */
static char *ask(const char *sql)
{
	struct sqlite3 *db = NULL;
	struct sqlite3_stmt *stmt = NULL;
	char *answer = NULL;

	assert_int_equal(sqlite3_open(scratch_path("store/xbuild.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		answer = xb_strdup((const char *)sqlite3_column_text(stmt, 0));
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	return answer;
}

static void assert_says(const char *sql, const char *expected)
{
	xb_autofree char *answer = ask(sql);

	assert_string_equal(answer, expected);
}

/* As after a reboot: what was stamped was stamped by another one. */
static void reboot(void)
{
	assert_int_equal(unlinkat(scratch_fd, "store/xbuild.db-boot", 0), 0);
	free(ask("UPDATE record SET boot = '00000000-0000-4000-8000-000000000000/0000000000000001' "
		 "WHERE boot <> ''"));
}

static void results_outlive_their_process(void **state)
{
	struct xb_store *store = open_store();
	struct xb_record record;

	(void)state;
	assert_int_equal(make_result(store, "step", NULL, NULL), 0);
	xb_store_free(store);
	assert_says("SELECT count(*) FROM record WHERE boot <> ''", "1");
	store = open_store();
	assert_int_equal(xb_record_get(store, "step", &record, NULL), 1);
	xb_store_free(store);
}

static void a_reboot_takes_what_was_not_synced(void **state)
{
	struct xb_store *store = open_store();
	struct xb_record kept, lost;
	xb_autofree char *damaged = NULL;
	xb_autofree char *whole = NULL;
	xb_autofree char *tree = NULL;

	(void)state;
	assert_int_equal(make_result(store, "kept", &kept, NULL), 0);
	assert_int_equal(xb_durable_sync(store, NULL), 0);
	assert_int_equal(make_result(store, "lost", &lost, NULL), 0);
	assert_int_equal(make_result(store, "whole", NULL, NULL), 0);
	xb_store_free(store);
	assert_says("SELECT count(*) FROM record WHERE boot <> ''", "2");
	damaged = xb_format("store/blobs/sha256/%s", xb_digest_hex(&lost.blob));
	whole = xb_format("store/blobs/sha256/%s", xb_digest_hex(&kept.blob));
	tree = xb_format("store/snapshots/%s", lost.snapshot.id);
	/* zeros of the right size: what a file system may leave */
	assert_int_equal(xb_file_replace_at(scratch_fd, damaged, "\0\0\0\0", 4, false, NULL), 0);
	reboot();
	store = open_store();
	assert_int_equal(xb_record_get(store, "kept", &kept, NULL), 1);
	assert_int_equal(xb_record_get(store, "lost", &lost, NULL), 0);
	assert_int_equal(xb_record_get(store, "whole", &lost, NULL), 0);
	assert_int_not_equal(faccessat(scratch_fd, damaged, F_OK, 0), 0);
	assert_int_equal(faccessat(scratch_fd, whole, F_OK, 0), 0);
	assert_int_not_equal(faccessat(scratch_fd, tree, F_OK, 0), 0);
	xb_store_free(store);
}

/* The database's end may be lost with the record: the blob is then found by its bytes alone. */
static void a_damaged_blob_goes_without_a_record(void **state)
{
	struct xb_store *store = open_store();
	struct xb_digest digest = put_blob(store, "text");
	struct xb_digest whole = put_blob(store, "whole");
	xb_autofree char *path = xb_format("store/blobs/sha256/%s", xb_digest_hex(&digest));

	(void)state;
	xb_store_free(store);
	assert_int_equal(xb_file_replace_at(scratch_fd, path, "\0\0\0\0", 4, false, NULL), 0);
	xb_store_free(open_store());
	/* in the boot in which it was looked at nothing is read again */
	assert_int_equal(faccessat(scratch_fd, path, F_OK, 0), 0);
	reboot();
	store = open_store();
	assert_false(xb_blob_has(store, &digest));
	assert_true(xb_blob_has(store, &whole));
	xb_store_free(store);
}

static void a_tag_makes_all_before_it_last(void **state)
{
	struct xb_store *store = open_store();
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	struct xb_digest digest = put_blob(store, "{}");

	(void)state;
	assert_int_equal(make_result(store, "step", NULL, NULL), 0);
	xb_descriptor_init(&d, XB_MEDIA_OCI_MANIFEST, &digest, 2);
	assert_int_equal(xb_tag_set(store, "app", &d, NULL), 0);
	xb_store_free(store);
	assert_says("SELECT count(*) FROM record WHERE boot <> ''", "0");
}

/* Who tags waits for the disk unless a tag says that nothing is to be waited for; no clock does. */
static void a_tag_trusts_tags_and_no_clock(void **state)
{
	static const time_t jumps[] = { 0, 86400, -86400 };
	struct xb_store *store = open_store();

	(void)state;
	for (size_t i = 0; i < XB_COUNT(jumps); i++) {
		xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
		xb_autofree char *text = xb_format("{ \"n\": %zu }", i);
		struct xb_digest digest = put_blob(store, text);

		ahead = jumps[i];
		xb_descriptor_init(&d, XB_MEDIA_OCI_MANIFEST, &digest, strlen(text));
		syncs = 0;
		assert_int_equal(xb_tag_set(store, "app", &d, NULL), 0);
		assert_int_equal(syncs, 1);
		assert_int_equal(xb_tag_set(store, "app", &d, NULL), 0);
		assert_int_equal(xb_tag_set(store, "other", &d, NULL), 0);
		assert_int_equal(syncs, 1);
		assert_int_equal(make_result(store, text, NULL, NULL), 0);
		assert_int_equal(xb_tag_set(store, "app", &d, NULL), 0);
		assert_int_equal(syncs, 2);
		assert_int_equal(xb_tag_remove(store, "app", NULL), 0);
		assert_int_equal(xb_tag_remove(store, "other", NULL), 0);
		assert_int_equal(xb_tag_set(store, "app", &d, NULL), 0);
		assert_int_equal(syncs, 3);
	}
	ahead = 0;
	xb_store_free(store);
}

static void what_has_waited_is_synced_when_the_store_is_opened(void **state)
{
	struct xb_store *store = open_store();
	char stamp[XB_STAMP_SIZE];
	xb_autofree char *sql = NULL;

	(void)state;
	assert_int_equal(make_result(store, "old", NULL, NULL), 0);
	assert_int_equal(make_result(store, "new", NULL, NULL), 0);
	xb_store_free(store);
	xb_durable_stamp(stamp);
	(void)snprintf(stamp + 36, sizeof(stamp) - 36, "/%016d", 1);
	sql = xb_format("UPDATE record SET boot = '%s' WHERE key = 'old'", stamp);
	free(ask(sql));
	xb_store_free(open_store());
	assert_says("SELECT count(*) FROM record WHERE boot <> ''", "0");
}

static void a_fresh_result_makes_nobody_wait(void **state)
{
	struct xb_store *store = open_store();

	(void)state;
	assert_int_equal(make_result(store, "new", NULL, NULL), 0);
	xb_store_free(store);
	xb_store_free(open_store());
	assert_says("SELECT count(*) FROM record WHERE boot <> ''", "1");
}

/* Whoever opens the database first reads its whole log. */
static void a_long_log_is_taken_in_when_the_store_is_opened(void **state)
{
	struct xb_store *store = open_store();
	struct stat st;

	(void)state;
	for (int i = 0; i < 60; i++) {
		xb_autofree char *key = xb_format("step %d", i);

		assert_int_equal(make_result(store, key, NULL, NULL), 0);
	}
	xb_store_free(store);
	assert_int_equal(fstatat(scratch_fd, "store/xbuild.db-wal", &st, 0), 0);
	assert_true(st.st_size > 256 << 10);
	xb_store_free(open_store());
	assert_int_equal(fstatat(scratch_fd, "store/xbuild.db-wal", &st, 0), 0);
	assert_true(st.st_size < 64 << 10);
	assert_says("SELECT count(*) FROM record", "60");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(results_outlive_their_process),
		TEST(a_reboot_takes_what_was_not_synced),
		TEST(a_damaged_blob_goes_without_a_record),
		TEST(a_tag_makes_all_before_it_last),
		TEST(a_tag_trusts_tags_and_no_clock),
		TEST(what_has_waited_is_synced_when_the_store_is_opened),
		TEST(a_fresh_result_makes_nobody_wait),
		TEST(a_long_log_is_taken_in_when_the_store_is_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
