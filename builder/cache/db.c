/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

/* How long a writer waits for the others; they hold the database for milliseconds. */
#define BUSY_MS 60000

/* A log of so many bytes is taken in beside the next command: the first to open a database reads
 * all of its log, which for one of 4 MiB takes as long as 80 steps take to be found. */
#define LONG_LOG ((off_t)256 << 10)
/* How long that waits for readers, ms. It is only tidying. */
#define TIDY_BUSY_MS 100

/* Raise with each change of the schema, and add the step that leads to it. */
#define SCHEMA_VERSION 5

/* SCHEMA[v] leads from version v to v + 1; a new database goes through all of them. */
static const char *const schema[SCHEMA_VERSION] = {
	"CREATE TABLE record ("
	" key TEXT PRIMARY KEY,"
	" snapshot TEXT NOT NULL,"
	" diff_id TEXT NOT NULL,"
	" blob TEXT NOT NULL,"
	" blob_size INTEGER NOT NULL,"
	" media_type TEXT NOT NULL,"
	" created INTEGER NOT NULL,"
	" duration INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"CREATE INDEX record_snapshot ON record (snapshot);"
	"PRAGMA user_version = 1;",

	"ALTER TABLE record ADD COLUMN note TEXT NOT NULL DEFAULT '';"
	"PRAGMA user_version = 2;",

	/* pieces: what parts of blobs are the compressed form of (builder/cache/piece.h); boot: the
	 * boot in which a record was made whose things may not be on the disk yet, '' once they are
	 */
	"CREATE TABLE piece ("
	" digest TEXT PRIMARY KEY,"
	" blob TEXT NOT NULL,"
	" at INTEGER NOT NULL,"
	" len INTEGER NOT NULL,"
	" crc INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"CREATE INDEX piece_blob ON piece (blob);"
	"ALTER TABLE record ADD COLUMN boot TEXT NOT NULL DEFAULT '';"
	"CREATE INDEX record_boot ON record (boot) WHERE boot <> '';"
	"PRAGMA user_version = 3;",

	/* thing: what is known of snapshots and blobs, by their line in a lease
	 * (builder/cache/use.h); build, log, took: history (builder/cache/history.h)
	 */
	"CREATE TABLE thing ("
	" name TEXT PRIMARY KEY,"
	" used INTEGER NOT NULL DEFAULT 0,"
	" bytes INTEGER NOT NULL DEFAULT -1,"
	" inodes INTEGER NOT NULL DEFAULT -1"
	") WITHOUT ROWID;"
	"ALTER TABLE record ADD COLUMN title TEXT NOT NULL DEFAULT '';"
	"CREATE TABLE build ("
	" seq INTEGER PRIMARY KEY,"
	" id TEXT NOT NULL UNIQUE,"
	" what TEXT NOT NULL"
	");"
	"CREATE TABLE log ("
	" build INTEGER NOT NULL,"
	" step INTEGER NOT NULL,"
	" text TEXT NOT NULL,"
	" PRIMARY KEY (build, step)"
	") WITHOUT ROWID;"
	"CREATE TABLE took ("
	" step TEXT PRIMARY KEY,"
	" ns INTEGER NOT NULL,"
	" at INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"PRAGMA user_version = 4;",

	/* origin: repositories that have blobs (builder/cache/origin.h); name: what names of images
	 * meant when they were asked for last (builder/cache/name.h)
	 */
	"CREATE TABLE origin ("
	" blob TEXT NOT NULL,"
	" place TEXT NOT NULL,"
	" noted INTEGER NOT NULL,"
	" PRIMARY KEY (blob, place)"
	") WITHOUT ROWID;"
	"CREATE TABLE name ("
	" name TEXT PRIMARY KEY,"
	" digest TEXT NOT NULL,"
	" size INTEGER NOT NULL,"
	" media_type TEXT NOT NULL,"
	" noted INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"PRAGMA user_version = 5;",
};

static const struct {
	int sqlite;
	int code;
} codes[] = {
	{ SQLITE_FULL, -ENOSPC },     { SQLITE_NOMEM, -ENOMEM },    { SQLITE_BUSY, -ETIMEDOUT },
	{ SQLITE_READONLY, -EROFS },  { SQLITE_CORRUPT, -EUCLEAN }, { SQLITE_NOTADB, -EUCLEAN },
	{ SQLITE_CANTOPEN, -EACCES },
};

/* What the system said where SQLite only passes it on, else what SQLite's own code means. */
static int errno_of(struct sqlite3 *db)
{
	int code = sqlite3_errcode(db) & 0xff;
	int cause = sqlite3_system_errno(db);

	if ((code == SQLITE_CANTOPEN || code == SQLITE_IOERR) && cause > 0)
		return -cause;
	for (size_t i = 0; i < XB_COUNT(codes); i++) {
		if (codes[i].sqlite == code)
			return codes[i].code;
	}
	return -EIO;
}

int xb_db_error(struct xb_store *store, const char *doing, struct xb_error *err)
{
	int r;

	if (store->db == NULL)
		return xb_store_errno(err, -ENOMEM, "%s %s/xbuild.db", doing, store->root);
	r = errno_of(store->db);
	(void)xb_store_errno(err, r, "%s %s/xbuild.db (%s)", doing, store->root,
			     sqlite3_errmsg(store->db));
	if (r == -EUCLEAN)
		(void)xb_error_hint(err,
				    "`xbuild cache check --repair` sets it aside: step records and "
				    "history are lost, images stay");
	return r;
}

int xb_db_exec(struct xb_store *store, const char *sql, const char *doing, struct xb_error *err)
{
	if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return xb_db_error(store, doing, err);
	return 0;
}

int xb_db_prepare(struct xb_store *store, const char *sql, struct sqlite3_stmt **ret,
		  struct xb_error *err)
{
	if (sqlite3_prepare_v2(store->db, sql, -1, ret, NULL) != SQLITE_OK)
		return xb_db_error(store, "asking", err);
	return 0;
}

void xb_db_finalize(struct sqlite3_stmt **stmt)
{
	(void)sqlite3_finalize(*stmt);
	*stmt = NULL;
}

int xb_db_recall(struct xb_store *store, const char *sql, struct sqlite3_stmt **ret,
		 struct xb_error *err)
{
	struct xb_kept *kept;

	for (size_t i = 0; i < store->kept.len; i++) {
		if (store->kept.items[i].sql == sql) {
			*ret = store->kept.items[i].stmt;
			return 0;
		}
	}
	if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) !=
	    SQLITE_OK)
		return xb_db_error(store, "asking", err);
	kept = xb_array_push(&store->kept);
	*kept = (struct xb_kept){ .sql = sql, .stmt = *ret };
	return 0;
}

void xb_db_rest(struct sqlite3_stmt **stmt)
{
	if (*stmt == NULL)
		return;
	(void)sqlite3_reset(*stmt);
	(void)sqlite3_clear_bindings(*stmt);
	*stmt = NULL;
}

void xb_db_bind_text(struct sqlite3_stmt *stmt, int index, const char *text)
{
	(void)sqlite3_bind_text(stmt, index, text, -1, SQLITE_STATIC);
}

void xb_db_bind_number(struct sqlite3_stmt *stmt, int index, int64_t number)
{
	(void)sqlite3_bind_int64(stmt, index, number);
}

int xb_db_step(struct xb_store *store, struct sqlite3_stmt *stmt, const char *doing,
	       struct xb_error *err)
{
	switch (sqlite3_step(stmt)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return xb_db_error(store, doing, err);
	}
}

int xb_db_checkpoint(struct xb_store *store, struct xb_error *err)
{
	return xb_db_exec(store, "PRAGMA wal_checkpoint(TRUNCATE)", "tidying", err);
}

static int schema_version(struct xb_store *store, struct xb_error *err)
{
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r = xb_db_prepare(store, "PRAGMA user_version", &stmt, err);

	if (r >= 0)
		r = xb_db_step(store, stmt, "reading the version of", err);
	return r < 0 ? r : sqlite3_column_int(stmt, 0);
}

static int make_schema(struct xb_store *store, struct xb_error *err)
{
	int r = schema_version(store, err);

	if (r < 0 || r == SCHEMA_VERSION)
		return r;
	if (r > SCHEMA_VERSION) {
		int version = r;

		r = xb_error_set(err, -EPROTONOSUPPORT,
				 "the store %s has format %d, this xbuild knows formats up to %d",
				 store->root, version, SCHEMA_VERSION);
		xb_error_fault(err, XB_FAULT_STORE);
		xb_error_hint(err, "use the newer xbuild that made it, or another --root");
		return r;
	}
	r = xb_db_exec(store, "BEGIN IMMEDIATE", "writing to", err);
	/* again: another process may have made them in the meantime */
	if (r >= 0)
		r = schema_version(store, err);
	for (int version = r; r >= 0 && version < SCHEMA_VERSION; version++)
		r = xb_db_exec(store, schema[version], "making the tables of", err);
	if (r >= 0)
		r = xb_db_exec(store, "COMMIT", "making the tables of", err);
	/* so that the file by itself says what it is */
	return r < 0 ? r : xb_db_checkpoint(store, err);
}

static int open_connection(const struct xb_store *store, int busy_ms, struct sqlite3 **ret)
{
	xb_autofree char *path = xb_format("%s/xbuild.db", store->root);
	int code = sqlite3_open_v2(
		path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_NOFOLLOW,
		NULL);

	if (code != SQLITE_OK)
		return code;
	(void)sqlite3_busy_timeout(*ret, busy_ms);
	/* closing must not wait for the disk: the log stays, and is taken in once it is long */
	(void)sqlite3_db_config(*ret, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return SQLITE_OK;
}

int xb_db_open(struct xb_store *store, struct xb_error *err)
{
	/* SQLite gives its companion files the mode of this one */
	xb_auto_fd int fd =
		openat(store->dirfd, "xbuild.db", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return xb_store_errno(err, -errno, "opening %s/xbuild.db", store->root);
	(void)close(XB_STEAL_FD(fd)); /* before SQLite locks: closing later would unlock */

	if (open_connection(store, BUSY_MS, &store->db) != SQLITE_OK)
		return xb_db_error(store, "opening", err);
	(void)sqlite3_extended_result_codes(store->db, 0);
	r = xb_db_exec(store, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", "opening",
		       err);
	return r < 0 ? r : make_schema(store, err);
}

int xb_db_begin(struct xb_store *store, struct xb_error *err)
{
	return xb_db_exec(store, "BEGIN IMMEDIATE", "writing to", err);
}

int xb_db_end(struct xb_store *store, int r, struct xb_error *err)
{
	if (r >= 0)
		r = xb_db_exec(store, "COMMIT", "writing to", err);
	if (r < 0)
		(void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return r < 0 ? r : 0;
}

int xb_db_run(struct xb_store *store, struct sqlite3_stmt *stmt, const char *doing,
	      struct xb_error *err)
{
	int r = xb_db_step(store, stmt, doing, err);

	(void)sqlite3_reset(stmt);
	return r;
}

bool xb_db_log_is_long(const struct xb_store *store)
{
	struct stat st;

	return fstatat(store->dirfd, "xbuild.db-wal", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_size > LONG_LOG;
}

void xb_db_shorten_log(const struct xb_store *store)
{
	struct sqlite3 *db = NULL;

	/* first what takes long and keeps nobody waiting, then what does, when little is left */
	if (open_connection(store, TIDY_BUSY_MS, &db) == SQLITE_OK)
		(void)sqlite3_exec(db,
				   "PRAGMA wal_checkpoint(PASSIVE);"
				   "PRAGMA wal_checkpoint(TRUNCATE);",
				   NULL, NULL, NULL);
	(void)sqlite3_close(db);
}

void xb_db_close(struct xb_store *store)
{
	for (size_t i = 0; i < store->kept.len; i++)
		(void)sqlite3_finalize(store->kept.items[i].stmt);
	xb_array_clear(&store->kept);
	(void)sqlite3_close(store->db);
	store->db = NULL;
}

int xb_db_snapshot_used(struct xb_store *store, const char *id, struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_kept struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_recall(store, "SELECT 1 FROM record WHERE snapshot = ?1", &stmt, err);
	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, id);
	return xb_db_step(store, stmt, "looking for a snapshot in", err);
}
