/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/history.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "builder/cache/db.h"
#include "builder/cache/state.h"

void xb_history_new_id(char ret[XB_HISTORY_ID_SIZE])
{
	xb_store_random_id(ret);
}

/* ---- writing -------------------------------------------------------------------------------- */

static int put_build(struct xb_store *store, const struct xb_history_build *build,
		     struct xb_error *err)
{
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r = xb_db_prepare(store, "INSERT INTO build (id, what) VALUES (?1, ?2)", &stmt, err);

	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, build->id);
	xb_db_bind_text(stmt, 2, build->what);
	return xb_db_step(store, stmt, "writing a build to", err);
}

static int put_logs(struct xb_store *store, const struct xb_history_build *build,
		    struct xb_error *err)
{
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int64_t seq = sqlite3_last_insert_rowid(store->db);
	int r = xb_db_prepare(store, "INSERT INTO log VALUES (?1, ?2, ?3)", &stmt, err);

	for (size_t i = 0; r >= 0 && i < build->log_count; i++) {
		xb_db_bind_number(stmt, 1, seq);
		xb_db_bind_number(stmt, 2, (int64_t)build->logs[i].step);
		xb_db_bind_text(stmt, 3, build->logs[i].text);
		r = xb_db_run(store, stmt, "writing a log to", err);
	}
	return r;
}

static int put_durations(struct xb_store *store, const struct xb_history_build *build,
			 struct xb_error *err)
{
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int64_t now = xb_clock_now();
	int r = xb_db_prepare(store, "INSERT OR REPLACE INTO took VALUES (?1, ?2, ?3)", &stmt, err);

	for (size_t i = 0; r >= 0 && i < build->took_count; i++) {
		xb_db_bind_text(stmt, 1, build->took[i].step->text);
		xb_db_bind_number(stmt, 2, (int64_t)build->took[i].ns);
		xb_db_bind_number(stmt, 3, now);
		r = xb_db_run(store, stmt, "writing a duration to", err);
	}
	return r;
}

/* Durations are counted, which takes a while, only when there are new ones. */
static int drop_old(struct xb_store *store, bool durations, struct xb_error *err)
{
	xb_autofree char *builds =
		xb_format("DELETE FROM build WHERE seq <= (SELECT max(seq) FROM build) - %d;"
			  "DELETE FROM log WHERE build < (SELECT min(seq) FROM build);",
			  XB_HISTORY_BUILDS);
	xb_autofree char *old = xb_format("DELETE FROM took WHERE step IN (SELECT step FROM took "
					  "ORDER BY at DESC LIMIT -1 OFFSET %d);",
					  XB_HISTORY_DURATIONS);
	int r = xb_db_exec(store, builds, "dropping old builds of", err);

	return r < 0 || !durations ? r : xb_db_exec(store, old, "dropping old builds of", err);
}

int xb_history_add(struct xb_store *store, const struct xb_history_build *build,
		   struct xb_error *err)
{
	int r;

	XB_STORE_LOCKED(store);
	r = xb_db_begin(store, err);
	if (r < 0)
		return r;
	r = put_build(store, build, err);
	if (r >= 0 && build->log_count > 0)
		r = put_logs(store, build, err);
	if (r >= 0 && build->took_count > 0)
		r = put_durations(store, build, err);
	if (r >= 0)
		r = drop_old(store, build->took_count > 0, err);
	return xb_db_end(store, r, err);
}

static int remove_builds(struct xb_store *store, const char *sql, const char *id,
			 struct xb_error *err)
{
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r = xb_db_prepare(store, sql, &stmt, err);

	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, id);
	return xb_db_step(store, stmt, "removing builds from", err);
}

int xb_history_remove(struct xb_store *store, const char *id, struct xb_error *err)
{
	int r;

	XB_STORE_LOCKED(store);
	r = xb_db_begin(store, err);
	if (r < 0)
		return r;
	r = remove_builds(store,
			  "DELETE FROM log WHERE ?1 IS NULL OR build = (SELECT seq FROM build "
			  "WHERE id = ?1)",
			  id, err);
	if (r >= 0)
		r = remove_builds(store, "DELETE FROM build WHERE ?1 IS NULL OR id = ?1", id, err);
	return xb_db_end(store, r, err);
}

/* ---- reading -------------------------------------------------------------------------------- */

static const char *text_of(struct sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	return text != NULL ? text : "";
}

int xb_history_each(struct xb_store *store,
		    int (*visit)(void *context, const char *id, const char *what), void *context,
		    struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_prepare(store, "SELECT id, what FROM build ORDER BY seq DESC", &stmt, err);
	while (r >= 0) {
		r = xb_db_step(store, stmt, "listing the builds of", err);
		if (r <= 0)
			return r;
		r = visit(context, text_of(stmt, 0), text_of(stmt, 1));
		if (r != 0)
			return r;
	}
	return r;
}

static int not_one(const char *id, int r, struct xb_error *err)
{
	(void)xb_error_set(err, r, r == -ENOENT ? "no build %s" : "several builds begin with %s",
			   *id != '\0' ? id : "has been made");
	(void)xb_error_fault(err, XB_FAULT_STORE);
	(void)xb_error_hint(err, "`xbuild history` lists the builds");
	return r;
}

static int take_build(struct sqlite3_stmt *stmt, char ret_id[XB_HISTORY_ID_SIZE],
		      struct xb_str *what, struct xb_error *err)
{
	(void)snprintf(ret_id, XB_HISTORY_ID_SIZE, "%s", text_of(stmt, 0));
	xb_str_reset(what);
	xb_str_puts(what, text_of(stmt, 1));
	if (!xb_str_overflowed(what))
		return 0;
	return xb_error_set(err, -EFBIG, "the description of build %s is too long", ret_id);
}

int xb_history_find(struct xb_store *store, const char *id, char ret_id[XB_HISTORY_ID_SIZE],
		    struct xb_str *what, struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_prepare(store,
			  "SELECT id, what FROM build WHERE substr(id, 1, length(?1)) = ?1 "
			  "ORDER BY seq DESC LIMIT 2",
			  &stmt, err);
	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, id);
	r = xb_db_step(store, stmt, "looking for a build in", err);
	if (r <= 0)
		return r < 0 ? r : not_one(id, -ENOENT, err);
	r = take_build(stmt, ret_id, what, err);
	if (r < 0 || *id == '\0')
		return r;
	r = xb_db_step(store, stmt, "looking for a build in", err);
	return r > 0 ? not_one(id, -EEXIST, err) : r;
}

int xb_history_logs(struct xb_store *store, const char *id,
		    int (*visit)(void *context, const struct xb_history_log *log), void *context,
		    struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_prepare(store,
			  "SELECT step, text FROM log WHERE build = (SELECT seq FROM build "
			  "WHERE id = ?1) ORDER BY step",
			  &stmt, err);
	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, id);
	while ((r = xb_db_step(store, stmt, "reading the logs of", err)) > 0) {
		struct xb_history_log log = { .step = (size_t)sqlite3_column_int64(stmt, 0),
					      .text = text_of(stmt, 1) };

		r = visit(context, &log);
		if (r != 0)
			return r;
	}
	return r;
}

int xb_history_durations(struct xb_store *store, const struct xb_digest *const *steps, size_t count,
			 uint64_t *ret, struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r;

	/* one transaction, which only reads: else each question locks and unlocks the file */
	r = xb_db_exec(store, "BEGIN", "reading from", err);
	if (r < 0)
		return r;
	r = xb_db_prepare(store, "SELECT ns FROM took WHERE step = ?1", &stmt, err);
	for (size_t i = 0; r >= 0 && i < count; i++) {
		xb_db_bind_text(stmt, 1, steps[i]->text);
		r = xb_db_step(store, stmt, "looking for a duration in", err);
		ret[i] = r > 0 ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
		(void)sqlite3_reset(stmt);
	}
	return xb_db_end(store, r, err);
}
