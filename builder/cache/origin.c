/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/origin.h"

#include <sqlite3.h>
#include <time.h>

#include "builder/cache/blob.h"
#include "builder/cache/db.h"
#include "builder/cache/state.h"

/* Microseconds for which what was noted counts as new: a build with nothing new writes nothing. */
#define GRAIN ((int64_t)24 * 3600 * 1000000)

static int64_t now(void)
{
	struct timespec time = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &time);
	return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static int put_one(struct xb_store *store, struct sqlite3_stmt *stmt, const char *place,
		   const struct xb_digest *blob, struct xb_error *err)
{
	xb_db_bind_text(stmt, 1, blob->text);
	xb_db_bind_text(stmt, 2, place);
	xb_db_bind_number(stmt, 3, now());
	xb_db_bind_number(stmt, 4, GRAIN);
	return xb_db_run(store, stmt, "writing an origin to", err);
}

int xb_origin_put(struct xb_store *store, const char *place, const struct xb_descriptors *blobs,
		  struct xb_error *err)
{
	int r;

	if (blobs->len == 0)
		return 0;
	XB_STORE_LOCKED(store);
	xb_auto_kept struct sqlite3_stmt *stmt = NULL;
	r = xb_db_begin(store, err);
	if (r < 0)
		return r;
	r = xb_db_recall(store,
			 "INSERT INTO origin (blob, place, noted) VALUES (?1, ?2, ?3)"
			 " ON CONFLICT (blob, place) DO UPDATE SET noted = ?3"
			 " WHERE abs(noted - ?3) > ?4",
			 &stmt, err);
	for (size_t i = 0; r >= 0 && i < blobs->len; i++)
		r = put_one(store, stmt, place, &blobs->items[i].digest, err);
	return xb_db_end(store, r, err);
}

int xb_origin_find(struct xb_store *store, const struct xb_digest *blob, struct xb_strv *ret,
		   struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_kept struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_recall(store,
			 "SELECT place FROM origin WHERE blob = ?1 ORDER BY noted DESC, place",
			 &stmt, err);
	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, blob->text);
	while ((r = xb_db_step(store, stmt, "looking for an origin in", err)) > 0) {
		const char *place = (const char *)sqlite3_column_text(stmt, 0);

		if (place != NULL)
			xb_strv_push(ret, place);
	}
	return r;
}

bool xb_origin_known(struct xb_store *store, const struct xb_digest *blob)
{
	xb_auto_strv struct xb_strv places = XB_STRV_INIT;

	return xb_origin_find(store, blob, &places, NULL) >= 0 && places.len > 0;
}

static bool is_there(const struct xb_store *store, const char *text)
{
	struct xb_digest digest = { 0 };

	return xb_digest_parse(xb_view(text), &digest, NULL) == 0 && xb_blob_exists(store, &digest);
}

static int list_blobs(struct xb_store *store, struct xb_strv *ret, struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_prepare(store, "SELECT DISTINCT blob FROM origin", &stmt, err);
	while (r >= 0 && (r = xb_db_step(store, stmt, "listing the origins of", err)) > 0) {
		const char *blob = (const char *)sqlite3_column_text(stmt, 0);

		if (blob != NULL)
			xb_strv_push(ret, blob);
	}
	return r;
}

static int forget(struct xb_store *store, const char *blob, struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_kept struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_recall(store, "DELETE FROM origin WHERE blob = ?1", &stmt, err);
	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, blob);
	return xb_db_step(store, stmt, "removing origins from", err);
}

int xb_origin_sweep(struct xb_store *store, bool (*wanted)(void *context, const char *digest),
		    void *context, struct xb_error *err)
{
	xb_auto_strv struct xb_strv blobs = XB_STRV_INIT;
	int r = list_blobs(store, &blobs, err);

	for (size_t i = 0; r >= 0 && i < blobs.len; i++) {
		if (!wanted(context, blobs.items[i]) && !is_there(store, blobs.items[i]))
			r = forget(store, blobs.items[i], err);
	}
	return r;
}
