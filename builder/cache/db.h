/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The database of step records, for the modules of this directory only.
 *
 * SQLite in WAL mode with synchronous=NORMAL: a power cut may lose the newest records (their steps
 * run again) but never leaves one whose data was not synced before it. All functions that do
 * not say otherwise want the store's mutex held.
 */
#ifndef XB_BUILDER_CACHE_DB_H
#define XB_BUILDER_CACHE_DB_H

#include "base/error.h"
#include "builder/cache/state.h"

struct sqlite3_stmt;

/** Open the database, made or checked: -EPROTONOSUPPORT for a newer schema, -EUCLEAN for damage. */
int xb_db_open(struct xb_store *store, struct xb_error *err);
/** Close it. */
void xb_db_close(struct xb_store *store);

/** The error of the last failed call: errno by SQLite's code, with `doing` ("reading from") in
 *  front. */
int xb_db_error(struct xb_store *store, const char *doing, struct xb_error *err);
/** Run statements without results. */
int xb_db_exec(struct xb_store *store, const char *sql, const char *doing, struct xb_error *err);
/** Prepare a statement; release it with xb_auto_stmt. */
int xb_db_prepare(struct xb_store *store, const char *sql, struct sqlite3_stmt **ret,
		  struct xb_error *err);
/** Cleanup: finalize. */
void xb_db_finalize(struct sqlite3_stmt **stmt);
#define xb_auto_stmt XB_CLEANUP(xb_db_finalize)

/**
 * As xb_db_prepare(), for what is asked often: the statement is kept until the database is closed.
 * `sql` is a constant of the program, by whose address it is found again. To be used by one caller
 * at a time, which the mutex sees to; release it with xb_auto_kept.
 */
int xb_db_recall(struct xb_store *store, const char *sql, struct sqlite3_stmt **ret,
		 struct xb_error *err);
/** Cleanup: end what it reads, and forget what is bound. */
void xb_db_rest(struct sqlite3_stmt **stmt);
#define xb_auto_kept XB_CLEANUP(xb_db_rest)

/** Bind text, borrowed until the statement is released, to the parameter `index` (from 1). */
void xb_db_bind_text(struct sqlite3_stmt *stmt, int index, const char *text);
/** Bind a number. */
void xb_db_bind_number(struct sqlite3_stmt *stmt, int index, int64_t number);
/** Advance: 1 with a row, 0 at the end, or a negative errno. */
int xb_db_step(struct xb_store *store, struct sqlite3_stmt *stmt, const char *doing,
	       struct xb_error *err);

/** Step once and reset, so that the statement can be bound and run again. */
int xb_db_run(struct xb_store *store, struct sqlite3_stmt *stmt, const char *doing,
	      struct xb_error *err);
/** Begin to write: what follows is seen by others at once, or never. */
int xb_db_begin(struct xb_store *store, struct xb_error *err);
/** End it: commit, or take back where `r`, what became of it so far, is negative. Returns 0, or
 *  what went wrong. */
int xb_db_end(struct xb_store *store, int r, struct xb_error *err);

/** Take the log into the database, and empty it; where others read, as far as they let. */
int xb_db_checkpoint(struct xb_store *store, struct xb_error *err);

/** Whether the log is so long that opening the database takes noticeably longer. No mutex needed.
 */
bool xb_db_log_is_long(const struct xb_store *store);
/** Take it in by a connection of its own, so that others need not wait for the disk; errors are of
 *  no interest. Not under the mutex. */
void xb_db_shorten_log(const struct xb_store *store);

/** Whether a record names the snapshot: 1 or 0, or a negative errno. Takes the mutex. */
int xb_db_snapshot_used(struct xb_store *store, const char *id, struct xb_error *err);

#endif
