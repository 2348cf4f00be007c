/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that an older xbuild left is taken over with all that is in it: from each format that
 * there has been, as it was written then.
 */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/builder/cache/fixture.h"

/* Never changed: what the tables were when that format was the newest. */
#define COLUMNS                                                                                    \
	" key TEXT PRIMARY KEY, snapshot TEXT NOT NULL, diff_id TEXT NOT NULL,"                    \
	" blob TEXT NOT NULL, blob_size INTEGER NOT NULL, media_type TEXT NOT NULL,"               \
	" created INTEGER NOT NULL, duration INTEGER NOT NULL"
#define INDEX " CREATE INDEX record_snapshot ON record (snapshot);"
#define PIECES                                                                                     \
	"CREATE TABLE piece (digest TEXT PRIMARY KEY, blob TEXT NOT NULL, at INTEGER NOT NULL,"    \
	" len INTEGER NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;"                              \
	"CREATE INDEX piece_blob ON piece (blob);"
#define INSERT "INSERT INTO record VALUES ('key', '%s', '%s', '%s', 3, 'media', 4, 5"

static const char *const formats[] = {
	"CREATE TABLE record (" COLUMNS ") WITHOUT ROWID;" INDEX INSERT
	"); PRAGMA user_version = 1;",

	"CREATE TABLE record (" COLUMNS
	", note TEXT NOT NULL DEFAULT '') WITHOUT ROWID;" INDEX INSERT
	", 'a note'); PRAGMA user_version = 2;",

	"CREATE TABLE record (" COLUMNS
	", note TEXT NOT NULL DEFAULT '', boot TEXT NOT NULL DEFAULT '') WITHOUT ROWID;" INDEX
	"CREATE INDEX record_boot ON record (boot) WHERE boot <> '';" PIECES INSERT
	", 'a note', ''); PRAGMA user_version = 3;",

	"CREATE TABLE record (" COLUMNS
	", note TEXT NOT NULL DEFAULT '', boot TEXT NOT NULL DEFAULT '',"
	" title TEXT NOT NULL DEFAULT '') WITHOUT ROWID;" INDEX
	"CREATE INDEX record_boot ON record (boot) WHERE boot <> '';" PIECES
	"CREATE TABLE thing (name TEXT PRIMARY KEY, used INTEGER NOT NULL DEFAULT 0,"
	" bytes INTEGER NOT NULL DEFAULT -1, inodes INTEGER NOT NULL DEFAULT -1) WITHOUT ROWID;"
	"CREATE TABLE build (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
	" what TEXT NOT NULL);"
	"CREATE TABLE log (build INTEGER NOT NULL, step INTEGER NOT NULL, text TEXT NOT NULL,"
	" PRIMARY KEY (build, step)) WITHOUT ROWID;"
	"CREATE TABLE took (step TEXT PRIMARY KEY, ns INTEGER NOT NULL, at INTEGER NOT NULL)"
	" WITHOUT ROWID;" INSERT ", 'a note', '', ''); PRAGMA user_version = 4;",
};

static sqlite3 *open_db(void)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(scratch_path("store/xbuild.db"), &db), SQLITE_OK);
	return db;
}

static int append_row(void *context, int count, char **values, char **names)
{
	(void)names;
	for (int i = 0; i < count; i++)
		xb_str_printf(context, "%s|", values[i] != NULL ? values[i] : "");
	xb_str_puts(context, "\n");
	return 0;
}

/* The format, each column of each table, each index. */
static void describe(struct xb_str *ret)
{
	sqlite3 *db = open_db();

	assert_int_equal(
		sqlite3_exec(db,
			     "PRAGMA user_version;"
			     "SELECT m.name, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk"
			     " FROM sqlite_master m, pragma_table_info(m.name) c"
			     " WHERE m.type = 'table' ORDER BY m.name, c.cid;"
			     "SELECT m.name, m.tbl_name, c.name"
			     " FROM sqlite_master m, pragma_index_info(m.name) c"
			     " WHERE m.type = 'index' ORDER BY m.name, c.seqno;",
			     append_row, ret, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* In the place of the store's database, one of an older format with the same record in it. */
static void put_format(const char *format, const struct xb_record *record)
{
	char *sql;
	sqlite3 *db;

	(void)unlink(scratch_path("store/xbuild.db-wal"));
	(void)unlink(scratch_path("store/xbuild.db-shm"));
	assert_int_equal(unlink(scratch_path("store/xbuild.db")), 0);
	sql = sqlite3_mprintf(format, record->snapshot.id, record->diff_id.text, record->blob.text);
	db = open_db();
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	sqlite3_free(sql);
}

static void each_old_format_becomes_the_newest(void **state)
{
	struct xb_store *store = open_store();
	struct xb_record record = result_of(store, "key");
	xb_auto_str struct xb_str newest = XB_STR_INIT(1 << 16);

	(void)state;
	xb_store_free(store);
	describe(&newest);
	for (size_t i = 0; i < XB_COUNT(formats); i++) {
		xb_auto_str struct xb_str made = XB_STR_INIT(1 << 16);
		struct xb_record got = { 0 };

		put_format(formats[i], &record);
		store = open_store();
		assert_int_equal(xb_record_get(store, "key", &got, NULL), 1);
		assert_string_equal(got.snapshot.id, record.snapshot.id);
		assert_string_equal(got.blob.text, record.blob.text);
		assert_string_equal(got.media_type, "media");
		assert_int_equal(got.created, 4);
		assert_int_equal(got.duration, 5);
		assert_string_equal(got.note, i == 0 ? "" : "a note");
		(void)result_of(store, "another");
		assert_int_equal(xb_record_get(store, "another", &got, NULL), 1);
		xb_store_free(store);
		describe(&made);
		assert_string_equal(xb_str_text(&made), xb_str_text(&newest));
	}
}

/* Every format but the newest has its test. */
static void no_format_is_left_out(void **state)
{
	struct xb_store *store = open_store();
	xb_auto_str struct xb_str newest = XB_STR_INIT(1 << 16);
	xb_autofree char *first = xb_format("%zu|\n", XB_COUNT(formats) + 1);

	(void)state;
	xb_store_free(store);
	describe(&newest);
	assert_true(xb_view_starts(xb_str_view(&newest), xb_view(first)));
}

/* What a newer xbuild wrote is left alone. */
static void a_newer_format_is_refused(void **state)
{
	struct xb_store *store = open_store();
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	sqlite3 *db;

	(void)state;
	xb_store_free(store);
	db = open_db();
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 1000", NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(xb_store_open(scratch_path("store"), &store, &err), -EPROTONOSUPPORT);
	assert_int_equal(err.fault, XB_FAULT_STORE);
	assert_non_null(strstr(err.message, "has format 1000"));
	assert_non_null(strstr(err.hint, "newer xbuild"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(each_old_format_becomes_the_newest),
		scratch_test(no_format_is_left_out),
		scratch_test(a_newer_format_is_refused),
	};

	return cmocka_run_group_tests_name("builder/cache schema", tests, NULL, NULL);
}
