/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Snapshots: the directories that unpacked layers and step results live in, snapshots/<id>/fs,
 * each the difference to its parents in overlayfs' form, with overlayfs' work directory beside it
 * while it is written.
 *
 * A snapshot is begun, filled, committed and then named by a record (record.h); only the record
 * makes it last. Until then it belongs to this process's lease. After the commit it is never
 * changed.
 */
#ifndef XB_BUILDER_CACHE_SNAPSHOT_H
#define XB_BUILDER_CACHE_SNAPSHOT_H

#include "base/error.h"
#include "base/str.h"
#include "builder/cache/store.h"

/** Bytes of a snapshot's name with its NUL. */
#define XB_SNAPSHOT_ID_SIZE 33

/** A snapshot's name: 32 hexadecimal digits; empty for none. A plain value. */
struct xb_snapshot {
	char id[XB_SNAPSHOT_ID_SIZE];
};

/** Make an empty one: fs is 0755, work 0700, both owned by this process's user. */
int xb_snapshot_begin(struct xb_store *store, struct xb_snapshot *ret, struct xb_error *err);
/**
 * Everything below fs is complete: the work directory goes, behind this call. To be called after
 * the mount that wrote it is gone and before xb_record_put().
 */
int xb_snapshot_commit(struct xb_store *store, const struct xb_snapshot *snapshot,
		       struct xb_error *err);
/** Remove one that no record names; for half-made ones. Removal errors are left to the next sweep.
 */
void xb_snapshot_discard(struct xb_store *store, const struct xb_snapshot *snapshot);

/** Append the absolute path of its tree (".../fs"). */
void xb_snapshot_path(const struct xb_store *store, const struct xb_snapshot *snapshot,
		      struct xb_str *ret);
/** Append the absolute path of its work directory. */
void xb_snapshot_work_path(const struct xb_store *store, const struct xb_snapshot *snapshot,
			   struct xb_str *ret);
/** Open the directory of its tree, for reading; `*ret_fd` is the caller's. Errors: -ENOENT. */
int xb_snapshot_open(struct xb_store *store, const struct xb_snapshot *snapshot, int *ret_fd,
		     struct xb_error *err);
/** Open its work directory likewise. */
int xb_snapshot_open_work(struct xb_store *store, const struct xb_snapshot *snapshot, int *ret_fd,
			  struct xb_error *err);

#endif
