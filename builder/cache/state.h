/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The inside of a store, for the modules of this directory only: the open directories, the
 * database, and the three rules that keep many processes apart.
 *
 * 1. The store lock (locks/store, flock): whoever relies on something being there, makes something
 *    or takes a hold does so under the shared lock; whoever removes (sweep, prune) decides under
 *    the exclusive one. It is held for micro-seconds by users and during the decision by removers.
 * 2. The lease (leases/<pid>-<boot>-<random>): a file locked exclusively while its process lives,
 *    a line per held thing: "s <snapshot>" or "b <digest>". Written before the thing exists.
 * 3. `mutex` guards, between the threads of this process, the members named below. It is taken
 *    after the store lock, never before.
 */
#ifndef XB_BUILDER_CACHE_STATE_H
#define XB_BUILDER_CACHE_STATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/map.h"

struct sqlite3;
struct sqlite3_stmt;
struct xb_layout;
struct xb_supply;

/** A statement that is not prepared anew each time: xb_db_recall(). */
struct xb_kept {
	const char *sql;
	struct sqlite3_stmt *stmt;
};

/** See store.h. */
struct xb_store {
	char *root; /**< absolute */
	int dirfd;
	int blobs;
	int snapshots;
	int ingest;
	int leases;
	int locks;
	int caches;
	int contexts;
	struct xb_layout *layout; /**< index.json and blobs, as any OCI tool sees them */
	pthread_t settler;	  /**< syncs what earlier processes wrote; see `settling` */
	bool settling;		  /**< whether it was started */
	struct xb_broom *broom;	  /**< removes what was moved away, see broom.h; set under mutex */
	int lease_fd;		  /**< our lease, locked */
	char *lease;		  /**< its name */
	char *mended;		  /**< what was wrong with a database that was set aside, or NULL */
	struct xb_supply
		*supply; /**< who gets what is missing, see supply.h; plain memory, or NULL */

	pthread_mutex_t mutex; /**< guards all below */
	struct sqlite3 *db;
	struct XB_ARRAY(struct xb_kept) kept;
	struct xb_map *held;   /**< the lines of our lease */
	struct xb_map *hashed; /**< see hashed.h */
	/** Snapshots begun and neither recorded nor discarded, those that a record of ours has
	 *  taken the place of, and those that a sweep of ours had to leave to a living process: if
	 *  there are any our lease file outlives us, for a sweep. */
	struct xb_map *begun;
	uint64_t limit;	       /**< bytes, see limit.h */
	uint64_t limit_looked; /**< xb_clock_monotonic() when it was last enforced, 0: never */
	uint64_t serial;       /**< makes names below ingest/ unique */
	int means;	       /**< enum xb_means, see means.h */
	bool means_known;      /**< `means` says which it is, and not only what is wanted */
	bool means_told;       /**< the user knows */
	char *means_why;       /**< why it has to be copies, NULL: because the user wants it */
};

/** Cleanup: unlock the mutex behind the pointer. */
static inline void xb_store_unlock(struct xb_store **store)
{
	if (*store != NULL)
		pthread_mutex_unlock(&(*store)->mutex);
}

/**
 * Hold the store's mutex until the end of the scope. To stand before the declaration of an
 * xb_auto_stmt, which is then finalized first: a statement that outlives the lock keeps a read
 * transaction open, in which another thread's write fails at once (SQLITE_BUSY) when another
 * process has written since.
 */
#define XB_STORE_LOCKED(store)                                                                     \
	XB_CLEANUP(xb_store_unlock)                                                                \
	struct xb_store *xb_locked_ = ((void)pthread_mutex_lock(&(store)->mutex), (store));        \
	(void)xb_locked_

/**
 * An error of the store: the sentence, errno's text, the fault class, and the hint that fits the
 * errno (a full disk). Returns `r`.
 */
int xb_store_errno(struct xb_error *err, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * Put a sentence in front of an error that came from outside this directory, and give it fault
 * class and hint as xb_store_errno() does. Returns `r`.
 */
int xb_store_wrap(struct xb_error *err, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Write 32 random hexadecimal digits and a NUL. */
void xb_store_random_id(char ret[33]);

/** A name for a new file or directory below ingest/, which the sweep ties to our lease. */
char *xb_store_ingest_name(struct xb_store *store);

#endif
