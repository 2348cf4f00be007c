/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/record.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/cache/db.h"
#include "builder/cache/durable.h"
#include "builder/cache/lease.h"
#include "builder/cache/state.h"

/* In the order in which column() and bind() below count. */
#define COLUMNS                                                                                    \
	"key, snapshot, diff_id, blob, blob_size, media_type, created, duration, note, boot, "     \
	"title"

static bool column_text(struct sqlite3_stmt *stmt, int index, char *ret, size_t size)
{
	const unsigned char *text = sqlite3_column_text(stmt, index);
	int n = snprintf(ret, size, "%s", text != NULL ? (const char *)text : "");

	return n >= 0 && (size_t)n < size;
}

static bool column_digest(struct sqlite3_stmt *stmt, int index, struct xb_digest *ret)
{
	const unsigned char *text = sqlite3_column_text(stmt, index);

	return text == NULL || *text == '\0' ||
	       xb_digest_parse(xb_view((const char *)text), ret, NULL) >= 0;
}

static bool is_snapshot_id(const char *id)
{
	size_t len = strlen(id);

	return len == 0 ||
	       (len == XB_SNAPSHOT_ID_SIZE - 1 && strspn(id, "0123456789abcdef") == len);
}

/* A row of somebody's damaged database is not a record: false. */
static bool read_row(struct sqlite3_stmt *stmt, struct xb_record *ret)
{
	struct xb_record record = { 0 };
	bool good = column_text(stmt, 0, record.key, sizeof(record.key)) &&
		    column_text(stmt, 1, record.snapshot.id, sizeof(record.snapshot.id)) &&
		    is_snapshot_id(record.snapshot.id) && column_digest(stmt, 2, &record.diff_id) &&
		    column_digest(stmt, 3, &record.blob) &&
		    column_text(stmt, 5, record.media_type, sizeof(record.media_type)) &&
		    column_text(stmt, 8, record.note, sizeof(record.note));

	/* for people: one that is too long is cut */
	(void)column_text(stmt, 10, record.title, sizeof(record.title));
	record.blob_size = (uint64_t)sqlite3_column_int64(stmt, 4);
	record.created = sqlite3_column_int64(stmt, 6);
	record.duration = (uint64_t)sqlite3_column_int64(stmt, 7);
	if (good)
		*ret = record;
	return good;
}

static int find_row(struct xb_store *store, const char *key, struct xb_record *ret,
		    struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_kept struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_recall(store, "SELECT " COLUMNS " FROM record WHERE key = ?1", &stmt, err);
	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, key);
	r = xb_db_step(store, stmt, "looking for a record in", err);
	return r > 0 ? read_row(stmt, ret) : r;
}

static bool has_blob(const struct xb_store *store, const struct xb_record *record)
{
	struct xb_view algorithm = xb_digest_algorithm(&record->blob);
	xb_autofree char *path = NULL;
	struct stat st;

	if (xb_digest_empty(&record->blob))
		return true;
	path = xb_format("%.*s/%s", XB_VIEW_ARGS(algorithm), xb_digest_hex(&record->blob));
	return fstatat(store->blobs, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == record->blob_size;
}

static bool has_snapshot(const struct xb_store *store, const struct xb_record *record)
{
	xb_autofree char *path = NULL;
	struct stat st;

	if (record->snapshot.id[0] == '\0')
		return true;
	path = xb_format("%s/fs", record->snapshot.id);
	return fstatat(store->snapshots, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

const char *xb_record_flaw(const struct xb_store *store, const struct xb_record *record)
{
	if (!has_snapshot(store, record))
		return "its tree is missing";
	return has_blob(store, record) ? NULL : "its blob is missing or of another size";
}

/* Under the store lock, so that what is seen and held here cannot be collected in between. */
static int hold_parts(struct xb_store *store, const struct xb_record *record, struct xb_error *err)
{
	int r = 0;

	if (record->snapshot.id[0] != '\0')
		r = xb_hold_snapshot(store, record->snapshot.id, err);
	if (r >= 0 && !xb_digest_empty(&record->blob))
		r = xb_hold_blob(store, &record->blob, err);
	if (r < 0)
		return r;
	return has_snapshot(store, record) && has_blob(store, record);
}

/* Others may use the snapshot of a record that is dropped: the sweep after us knows. */
static void leave_dropped(struct xb_store *store, const struct xb_record *record)
{
	XB_STORE_LOCKED(store);
	if (record->snapshot.id[0] != '\0')
		(void)xb_map_set(store->begun, xb_view(record->snapshot.id), store);
}

int xb_record_get(struct xb_store *store, const char *key, struct xb_record *ret,
		  struct xb_error *err)
{
	xb_auto_guard int guard = xb_guard_take(store, false, err);
	struct xb_record record = { 0 };
	int r = guard;

	if (r >= 0)
		r = find_row(store, key, &record, err);
	if (r <= 0)
		return r;
	r = hold_parts(store, &record, err);
	if (r > 0)
		*ret = record;
	if (r == 0) {
		(void)xb_record_remove(store, key, NULL);
		leave_dropped(store, &record);
	}
	return r;
}

/* A record that names another snapshot now leaves the one before to the sweep after us. Under the
 * mutex. */
static void leave_older(struct xb_store *store, const struct xb_record *record)
{
	xb_auto_kept struct sqlite3_stmt *stmt = NULL;

	if (xb_db_recall(store, "SELECT snapshot FROM record WHERE key = ?1 AND snapshot <> ''",
			 &stmt, NULL) < 0)
		return;
	xb_db_bind_text(stmt, 1, record->key);
	if (xb_db_step(store, stmt, "looking for a record in", NULL) > 0)
		(void)xb_map_set(store->begun, xb_view((const char *)sqlite3_column_text(stmt, 0)),
				 store);
}

static int put_row(struct xb_store *store, const struct xb_record *record, struct xb_error *err)
{
	char stamp[XB_STAMP_SIZE];
	int r;

	xb_durable_stamp(stamp);
	if (stamp[0] == '\0' && syncfs(store->dirfd) < 0)
		return xb_store_errno(err, -errno, "syncing the store %s", store->root);
	XB_STORE_LOCKED(store);
	xb_auto_kept struct sqlite3_stmt *stmt = NULL;
	leave_older(store, record);
	r = xb_db_recall(store,
			 "INSERT OR REPLACE INTO record (" COLUMNS ")"
			 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
			 &stmt, err);
	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, record->key);
	xb_db_bind_text(stmt, 2, record->snapshot.id);
	xb_db_bind_text(stmt, 3, record->diff_id.text);
	xb_db_bind_text(stmt, 4, record->blob.text);
	xb_db_bind_number(stmt, 5, (int64_t)record->blob_size);
	xb_db_bind_text(stmt, 6, record->media_type);
	xb_db_bind_number(stmt, 7, record->created);
	xb_db_bind_number(stmt, 8, (int64_t)record->duration);
	xb_db_bind_text(stmt, 9, record->note);
	xb_db_bind_text(stmt, 10, stamp);
	xb_db_bind_text(stmt, 11, record->title);
	r = xb_db_step(store, stmt, "writing a record to", err);
	if (r >= 0)
		(void)xb_map_remove(store->begun, xb_view(record->snapshot.id));
	return r < 0 ? r : 0;
}

int xb_record_put(struct xb_store *store, const struct xb_record *record, struct xb_error *err)
{
	xb_auto_guard int guard = -1;
	size_t len = strnlen(record->key, sizeof(record->key));
	int r;

	if (len == 0 || len == sizeof(record->key) || !is_snapshot_id(record->snapshot.id))
		return xb_store_errno(err, -EINVAL, "writing a record");
	guard = xb_guard_take(store, false, err);
	r = guard < 0 ? guard : hold_parts(store, record, err);
	if (r < 0)
		return r;
	if (r == 0)
		return xb_store_errno(err, -ENOENT, "recording the result of %s", record->key);
	return put_row(store, record, err);
}

int xb_record_remove(struct xb_store *store, const char *key, struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_kept struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_recall(store, "DELETE FROM record WHERE key = ?1", &stmt, err);
	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, key);
	return xb_db_step(store, stmt, "removing a record from", err);
}

int xb_record_each(struct xb_store *store,
		   int (*visit)(void *context, const struct xb_record *record), void *context,
		   struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_prepare(store, "SELECT " COLUMNS " FROM record ORDER BY key", &stmt, err);
	while (r >= 0) {
		struct xb_record record;

		r = xb_db_step(store, stmt, "listing the records of", err);
		if (r <= 0)
			return r;
		r = read_row(stmt, &record) ? visit(context, &record) : 0;
		if (r != 0)
			return r;
	}
	return r;
}
