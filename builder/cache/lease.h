/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The store lock, leases, and the sweep that removes what dead processes left; for the modules of
 * this directory only. state.h has the rules.
 */
#ifndef XB_BUILDER_CACHE_LEASE_H
#define XB_BUILDER_CACHE_LEASE_H

#include <stdbool.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/map.h"
#include "builder/cache/state.h"

/**
 * Take the store lock, waiting for it; returns a descriptor to close (xb_auto_guard) or a negative
 * errno. Shared and exclusive locks of one process exclude each other like those of two.
 */
int xb_guard_take(const struct xb_store *store, bool exclusive, struct xb_error *err);
/** Cleanup: release the store lock. */
void xb_guard_clear(int *fd);
#define xb_auto_guard XB_CLEANUP(xb_guard_clear)

/** Make and lock this process's lease. Under the exclusive store lock. */
int xb_lease_take(struct xb_store *store, struct xb_error *err);
/** Give it up; its file stays for the next sweep when snapshots are half-made, or nobody's. */
void xb_lease_drop(struct xb_store *store);

/** Hold the snapshot of this name. Under the store lock. */
int xb_hold_snapshot(struct xb_store *store, const char *id, struct xb_error *err);
/** Hold a blob. Under the store lock. */
int xb_hold_blob(struct xb_store *store, const struct xb_digest *digest, struct xb_error *err);

/** What is known of all leases, and what the sweep moved away. XB_SWEEP_INIT while empty. */
struct xb_sweep {
	struct xb_map *live;  /**< names of living leases */
	struct xb_map *held;  /**< the lines of all living leases */
	bool dead;	      /**< a dead lease was found (and removed) */
	struct xb_strv trash; /**< names below ingest/ to remove once the lock is released */
};
#define XB_SWEEP_INIT ((struct xb_sweep){ 0 })
/** Release, and remove the trash from the disk; not under the store lock. */
void xb_sweep_finish(struct xb_store *store, struct xb_sweep *sweep);
/** Release, and have the trash removed in the background: xb_broom_give(). */
void xb_sweep_finish_behind(struct xb_store *store, struct xb_sweep *sweep);

/** Cleanup of one that moved nothing away, also under the store lock. */
void xb_sweep_clear(struct xb_sweep *sweep);
#define xb_auto_sweep XB_CLEANUP(xb_sweep_clear)

/** Read all leases and remove dead ones. Under the exclusive store lock. */
int xb_sweep_leases(struct xb_store *store, struct xb_sweep *sweep, struct xb_error *err);
/**
 * Move to the trash what no living lease and no record accounts for: files of ingest/, snapshots;
 * remove lock files of steps and half-written indexes. Returns the number of snapshots. Under the
 * exclusive store lock, after xb_sweep_leases().
 */
int xb_sweep_orphans(struct xb_store *store, struct xb_sweep *sweep, struct xb_error *err);
/** Append the names ("snapshots/…", "ingest/…") of what xb_sweep_orphans() would move; as there. */
int xb_sweep_list(struct xb_store *store, const struct xb_sweep *sweep, struct xb_strv *ret,
		  struct xb_error *err);
/** Move `dirfd`/`name` to the trash; gone already is not an error. */
int xb_sweep_trash(struct xb_store *store, struct xb_sweep *sweep, int dirfd, const char *name,
		   struct xb_error *err);

/** Whether a living lease holds the thing; kind is 's' or 'b'. */
bool xb_sweep_held(const struct xb_sweep *sweep, char kind, const char *id);

/** Names of the entries of a directory but ".", ".." and what NFS keeps of removed files, in byte
 *  order. */
int xb_store_list(int dirfd, const char *name, struct xb_strv *ret, struct xb_error *err);

#endif
