/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The store: a directory of blobs, snapshots and step records that any number of xbuild processes
 * share.
 *
 *	oci-layout, index.json, blobs/sha256/   an OCI image layout (blob.h, tag.h)
 *	snapshots/<id>/{fs,work}                unpacked layers and step results (snapshot.h)
 *	ingest/                                 half-written blobs and what is being deleted
 *	xbuild.db                               step records (record.h)
 *	caches/                                 directories of cache mounts (cachedir.h)
 *	ballast                                 room kept so that a full store can be opened
 *	leases/                                 one locked file a running process: what it holds
 *	locks/                                  the store's lock and one file a step being run
 *(keylock.h)
 *
 * What always holds: a blob under blobs/ is whole; a record is there only after the data it names
 * has been synced; whatever a process has made or been given stays until that process closes the
 * store or ends, because its lease lists it; a process killed at any instant leaves nothing that
 * the next one has to repair: its lease is then unlocked, and whoever opens the store next
 * removes what only that lease held.
 *
 * A `struct xb_store` may be used by any number of threads at once; its lock is inside.
 * Faults are XB_FAULT_STORE.
 */
#ifndef XB_BUILDER_CACHE_STORE_H
#define XB_BUILDER_CACHE_STORE_H

#include "base/error.h"
#include "base/str.h"

struct xb_store;
struct xb_layout;

/**
 * Append the default root: $XBUILD_ROOT, else /var/lib/xbuild for the superuser, else
 * $XDG_DATA_HOME/xbuild, else $HOME/.local/share/xbuild. Relative values are refused.
 * To be called before xb_proc_become_root(), after which every user looks like the superuser.
 * Errors: -EINVAL, -ENOENT (no HOME).
 */
int xb_store_default_root(struct xb_str *ret, struct xb_error *err);

/**
 * Open the store at `root` (made with mode 0700 where it is missing), take a lease, and remove
 * what dead processes left behind.
 * Errors: -EPERM for a directory that another user owns, -ENOTEMPTY for one that holds other
 * things than a store, -EPROTONOSUPPORT for a store of a newer xbuild, and those of the files.
 */
int xb_store_open(const char *root, struct xb_store **ret, struct xb_error *err);
/**
 * As xb_store_open(), for a store that is to be repaired: a database too damaged to be opened is
 * set aside, and an empty one takes its place. xb_store_verify() then tells of it. -EBUSY when
 * other processes use a store with such a database.
 */
int xb_store_open_mending(const char *root, struct xb_store **ret, struct xb_error *err);
/** Give up the lease and close; snapshots begun and not recorded are then anybody's to remove. NULL
 *  is left alone. */
void xb_store_free(struct xb_store *store);

XB_DEFINE_CLEANUP(xb_store_cleanup, struct xb_store, xb_store_free)
#define xb_auto_store XB_CLEANUP(xb_store_cleanup)

/** The root as an absolute path, borrowed. */
const char *xb_store_root(const struct xb_store *store);
/**
 * The store as an OCI layout, borrowed: for reading (manifest/layout.h). What is written to it by
 * any other way than blob.h and tag.h is not held by the lease: see xb_store_pin().
 */
struct xb_layout *xb_store_layout(const struct xb_store *store);
/**
 * Keep every collection and every sweep waiting until the returned descriptor is closed: for a run
 * of documents written through xb_store_layout(), until xb_blob_has() has put the last one, which
 * names the others, under the lease. For milliseconds only: others cannot open the store meanwhile.
 */
int xb_store_pin(const struct xb_store *store, struct xb_error *err);
/**
 * A descriptor, borrowed, of the directory for what is remembered of build contexts: files that
 * anybody may write whole and remove. A collection removes those that are old.
 */
int xb_store_contexts(const struct xb_store *store);
/** A descriptor of the root directory, borrowed. */
int xb_store_dirfd(const struct xb_store *store);

#endif
