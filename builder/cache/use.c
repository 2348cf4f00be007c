/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/use.h"

#include <sqlite3.h>
#include <string.h>
#include <time.h>

#include "builder/cache/db.h"

/* How far a noted time may be from the truth, either way; microseconds. */
#define GRAIN ((int64_t)60 * 1000000)

void xb_uses_clear(struct xb_uses *uses)
{
	xb_map_free(uses->by_name);
	xb_array_clear(&uses->items);
	uses->by_name = NULL;
}

/* ---- noting --------------------------------------------------------------------------------- */

struct flush {
	struct xb_store *store;
	struct sqlite3_stmt *stmt;
	int64_t now;
};

/* `value` counts what was held before, from 1. */
static int note_held(void *context, const char *line, void *value)
{
	struct flush *flush = context;
	size_t len = strcspn(line, "\n");

	(void)sqlite3_bind_text(flush->stmt, 1, line, (int)len, SQLITE_STATIC);
	xb_db_bind_number(flush->stmt, 2, flush->now - (int64_t)(uintptr_t)value);
	(void)xb_db_run(flush->store, flush->stmt, "writing to", NULL);
	return 0;
}

/* Without a row that changes, SQLite writes nothing at all. */
void xb_use_flush(struct xb_store *store)
{
	XB_STORE_LOCKED(store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	struct flush flush = { .store = store };
	struct timespec now;

	if (store->db == NULL || xb_map_len(store->held) == 0 ||
	    clock_gettime(CLOCK_REALTIME, &now) < 0 || xb_db_begin(store, NULL) < 0)
		return;
	flush.now = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	if (xb_db_prepare(store,
			  "INSERT INTO thing (name, used) VALUES (?1, ?2) ON CONFLICT (name) "
			  "DO UPDATE SET used = ?2 WHERE abs(used - ?2) > ?3",
			  &stmt, NULL) >= 0) {
		flush.stmt = stmt;
		xb_db_bind_number(stmt, 3, GRAIN);
		(void)xb_map_each(store->held, note_held, &flush);
	}
	(void)xb_db_end(store, 0, NULL);
}

/* ---- reading -------------------------------------------------------------------------------- */

void xb_uses_set(struct xb_uses *uses, const char *name, const struct xb_use *use)
{
	uintptr_t index = (uintptr_t)xb_map_get(uses->by_name, xb_view(name));

	if (index == 0) {
		*xb_array_push(&uses->items) = *use;
		(void)xb_map_set(uses->by_name, xb_view(name), (void *)(uintptr_t)uses->items.len);
	} else {
		uses->items.items[index - 1] = *use;
	}
}

int xb_use_read(struct xb_store *store, struct xb_uses *ret, struct xb_error *err)
{
	int r;

	ret->by_name = xb_map_new();
	XB_STORE_LOCKED(store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	r = xb_db_prepare(store, "SELECT name, used, bytes, inodes FROM thing", &stmt, err);
	while (r >= 0 && (r = xb_db_step(store, stmt, "listing the things of", err)) > 0) {
		const struct xb_use use = { .used = sqlite3_column_int64(stmt, 1),
					    .bytes = sqlite3_column_int64(stmt, 2),
					    .inodes = sqlite3_column_int64(stmt, 3) };

		xb_uses_set(ret, (const char *)sqlite3_column_text(stmt, 0), &use);
	}
	return r;
}

struct xb_use xb_use_of(const struct xb_uses *uses, const char *name)
{
	uintptr_t index = (uintptr_t)xb_map_get(uses->by_name, xb_view(name));

	if (index == 0)
		return (struct xb_use){ .bytes = -1, .inodes = -1 };
	return uses->items.items[index - 1];
}

/* ---- sizes ---------------------------------------------------------------------------------- */

int xb_use_put_sizes(struct xb_store *store, const struct xb_strv *names,
		     const struct xb_room *sizes, struct xb_error *err)
{
	int r;

	if (names->len == 0)
		return 0;
	XB_STORE_LOCKED(store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	r = xb_db_begin(store, err);
	if (r < 0)
		return r;
	r = xb_db_prepare(store,
			  "INSERT INTO thing (name, bytes, inodes) VALUES (?1, ?2, ?3) "
			  "ON CONFLICT (name) DO UPDATE SET bytes = ?2, inodes = ?3",
			  &stmt, err);
	for (size_t i = 0; r >= 0 && i < names->len; i++) {
		xb_db_bind_text(stmt, 1, names->items[i]);
		xb_db_bind_number(stmt, 2, (int64_t)sizes[i].bytes);
		xb_db_bind_number(stmt, 3, (int64_t)sizes[i].inodes);
		r = xb_db_run(store, stmt, "writing a size to", err);
	}
	return xb_db_end(store, r, err);
}

int xb_use_forget(struct xb_store *store, const struct xb_strv *names, struct xb_error *err)
{
	int r;

	if (names->len == 0)
		return 0;
	XB_STORE_LOCKED(store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	r = xb_db_begin(store, err);
	if (r < 0)
		return r;
	r = xb_db_prepare(store, "DELETE FROM thing WHERE name = ?1", &stmt, err);
	for (size_t i = 0; r >= 0 && i < names->len; i++) {
		xb_db_bind_text(stmt, 1, names->items[i]);
		r = xb_db_run(store, stmt, "removing things from", err);
	}
	return xb_db_end(store, r, err);
}
