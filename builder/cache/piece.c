/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/piece.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "builder/cache/db.h"
#include "builder/cache/state.h"

/* Where a piece lies, as a row says it. */
static int find_row(struct xb_store *store, const struct xb_digest *digest, struct xb_digest *blob,
		    struct xb_piece *ret)
{
	XB_STORE_LOCKED(store);
	xb_auto_kept struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_recall(store, "SELECT blob, at, len, crc FROM piece WHERE digest = ?1", &stmt,
			 NULL);
	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, digest->text);
	r = xb_db_step(store, stmt, "looking for a piece in", NULL);
	if (r <= 0)
		return r;
	ret->at = (uint64_t)sqlite3_column_int64(stmt, 1);
	ret->len = (size_t)sqlite3_column_int64(stmt, 2);
	ret->check = (uint32_t)sqlite3_column_int64(stmt, 3);
	r = xb_digest_parse(xb_view((const char *)sqlite3_column_text(stmt, 0)), blob, NULL);
	return r < 0 ? r : 1;
}

static char *blob_path(const struct xb_digest *digest)
{
	struct xb_view algorithm = xb_digest_algorithm(digest);

	return xb_format("%.*s/%s", XB_VIEW_ARGS(algorithm), xb_digest_hex(digest));
}

/* `len` bytes at `at`, all or none. */
static bool read_part(int fd, char *out, size_t len, uint64_t at)
{
	while (len > 0) {
		ssize_t n = pread(fd, out, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		out += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return true;
}

size_t xb_piece_find(struct xb_store *store, const struct xb_digest *digest, void *out, size_t cap,
		     uint32_t *ret_check)
{
	struct xb_digest blob = { 0 };
	struct xb_piece piece = { 0 };
	xb_autofree char *path = NULL;
	xb_auto_fd int fd = -1;

	if (find_row(store, digest, &blob, &piece) <= 0 || piece.len > cap)
		return 0;
	/* once it is open, nobody can take it away */
	path = blob_path(&blob);
	fd = openat(store->blobs, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || !read_part(fd, out, piece.len, piece.at))
		return 0;
	*ret_check = piece.check;
	return piece.len;
}

static int put_one(struct xb_store *store, struct sqlite3_stmt *stmt, const struct xb_digest *blob,
		   const struct xb_piece *piece, struct xb_error *err)
{
	int r;

	xb_db_bind_text(stmt, 1, piece->digest.text);
	xb_db_bind_text(stmt, 2, blob->text);
	xb_db_bind_number(stmt, 3, (int64_t)piece->at);
	xb_db_bind_number(stmt, 4, (int64_t)piece->len);
	xb_db_bind_number(stmt, 5, piece->check);
	r = xb_db_step(store, stmt, "writing a piece to", err);
	(void)sqlite3_reset(stmt);
	return r;
}

int xb_piece_put(struct xb_store *store, const struct xb_digest *blob,
		 const struct xb_pieces *pieces, struct xb_error *err)
{
	int r;

	if (pieces->len == 0)
		return 0;
	XB_STORE_LOCKED(store);
	xb_auto_kept struct sqlite3_stmt *stmt = NULL;
	r = xb_db_exec(store, "BEGIN IMMEDIATE", "writing to", err);
	if (r < 0)
		return r;
	r = xb_db_recall(store, "INSERT OR REPLACE INTO piece VALUES (?1, ?2, ?3, ?4, ?5)", &stmt,
			 err);
	for (size_t i = 0; r >= 0 && i < pieces->len; i++)
		r = put_one(store, stmt, blob, &pieces->items[i], err);
	if (r >= 0)
		r = xb_db_exec(store, "COMMIT", "writing to", err);
	if (r < 0)
		(void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return r < 0 ? r : 0;
}

/* Blobs that pieces are of, and that are gone. */
static int list_gone(struct xb_store *store, struct xb_strv *ret, struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_prepare(store, "SELECT DISTINCT blob FROM piece", &stmt, err);
	while (r >= 0 && (r = xb_db_step(store, stmt, "listing the pieces of", err)) > 0) {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);
		struct xb_digest blob = { 0 };
		xb_autofree char *path = NULL;

		if (xb_digest_parse(xb_view(text), &blob, NULL) >= 0)
			path = blob_path(&blob);
		if (path == NULL || faccessat(store->blobs, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			xb_strv_push(ret, text);
	}
	return r;
}

static int forget(struct xb_store *store, const char *blob, struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_prepare(store, "DELETE FROM piece WHERE blob = ?1", &stmt, err);
	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, blob);
	return xb_db_step(store, stmt, "removing pieces from", err);
}

int xb_piece_sweep(struct xb_store *store, struct xb_error *err)
{
	xb_auto_strv struct xb_strv gone = XB_STRV_INIT;
	int r = list_gone(store, &gone, err);

	for (size_t i = 0; r >= 0 && i < gone.len; i++)
		r = forget(store, gone.items[i], err);
	return r;
}
