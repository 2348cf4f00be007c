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

#include "base/error.h"
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
};

/**
 * Remove every record, snapshot and blob that no tag reaches and no running process holds (this
 * one included). `all`: also the records and snapshots of tagged results, whose blobs stay, and the
 * caches of cache mounts that no step uses. Works beside running builds and on a full disk.
 */
int xb_store_prune(struct xb_store *store, bool all, struct xb_store_pruned *ret,
		   struct xb_error *err);

#endif
