/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the store holds, and removing what nobody needs.
 *
 * A tag reaches its document and all that this names: manifests, configs, layers, and the records
 * (with their snapshots) whose blob is such a layer. A running process holds what it has made or
 * been given; a document that it holds reaches what it names, as a tag does.
 */
#ifndef XB_BUILDER_CACHE_PRUNE_H
#define XB_BUILDER_CACHE_PRUNE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/cache/item.h"
#include "builder/cache/store.h"

/** What a store holds. Bytes are blocks on disk. */
struct xb_store_usage {
	uint64_t tags;
	uint64_t records;
	uint64_t blobs;
	uint64_t blob_bytes;
	uint64_t snapshots;
	uint64_t snapshot_bytes;
	uint64_t caches; /**< of cache mounts */
	uint64_t cache_bytes;
};

/** Count what the store holds now; walks all snapshots. */
int xb_store_usage(struct xb_store *store, struct xb_store_usage *ret, struct xb_error *err);

/** What a collection removed. Bytes are blocks on disk. */
struct xb_store_pruned {
	uint64_t records;
	uint64_t blobs;
	uint64_t snapshots;
	uint64_t caches;
	uint64_t bytes;
	uint64_t left; /**< bytes of all that the store still holds */
};

/** A set of kinds of items, for struct xb_prune. */
#define XB_PRUNE_KIND(kind) (1U << (kind))

/** What to remove; zeroed: every record, snapshot and blob that nothing holds. */
struct xb_prune {
	bool all;     /**< as in xb_store_prune() */
	bool dry_run; /**< only say what would go */
	/** XB_PRUNE_KIND() of what may go; 0: everything, caches and contexts only with `all` */
	unsigned kinds;
	const struct xb_strv *ids; /**< only these (xb_item_is()); NULL or empty: any */
	int64_t unused_for;	   /**< seconds without use, 0: any */
	uint64_t keep;		   /**< bytes that may stay, the last used ones; 0: nothing need */
	uint64_t above;		   /**< and only where the store has more bytes than this */
	uint64_t least;		   /**< bytes that are to go in any case, if they can */
	/** Told of each item that goes and how much that gives, under the store lock; or NULL. */
	void (*visit)(void *context, const struct xb_item *item, uint64_t bytes);
	void *context;
};

/**
 * Remove what `what` says of that which neither a tag nor a running process (this one included)
 * holds, least recently used first. Works beside running builds and on a full disk.
 */
int xb_store_prune_some(struct xb_store *store, const struct xb_prune *what,
			struct xb_store_pruned *ret, struct xb_error *err);
/**
 * Remove every record, snapshot and blob that no tag reaches and no running process holds (this
 * one included). `all`: also the records and snapshots of tagged results, whose blobs stay, and the
 * caches of cache mounts that no step uses. Works beside running builds and on a full disk.
 */
int xb_store_prune(struct xb_store *store, bool all, struct xb_store_pruned *ret,
		   struct xb_error *err);

#endif
