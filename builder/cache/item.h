/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Items: everything that a store holds, one for each thing that can go by itself,
 * with its size, its last use and why it stays.
 *
 * An item is a record with the tree and the blob that it names; a blob that no record names
 * (documents, layers of base images that were never unpacked); a cache of cache mounts; what is
 * remembered of a build context; a tree that a running build is making. A blob or tree that several
 * records name is counted with the first.
 */
#ifndef XB_BUILDER_CACHE_ITEM_H
#define XB_BUILDER_CACHE_ITEM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/error.h"
#include "base/map.h"
#include "builder/cache/disk.h"
#include "builder/cache/snapshot.h"
#include "builder/cache/store.h"

/** What an item is. */
enum xb_item_kind {
	XB_ITEM_STEP,	 /**< the result of a step */
	XB_ITEM_BASE,	 /**< an unpacked layer of a base image */
	XB_ITEM_FETCHED, /**< an archive, a git tree, a file of the web */
	XB_ITEM_BLOB,	 /**< a blob without a record */
	XB_ITEM_CACHE,	 /**< the directory of a cache mount, or of a git remote */
	XB_ITEM_CONTEXT, /**< what is remembered of a build context */
	XB_ITEM_BUSY,	 /**< a tree being made */
	XB_ITEM_KINDS
};

/** What keeps an item. */
enum xb_item_hold {
	XB_HELD_NOT,	/**< nothing */
	XB_HELD_TAG,	/**< an image of a tag was made of it */
	XB_HELD_PROCESS /**< a running process has made it or been given it */
};

/** An item. */
struct xb_item {
	enum xb_item_kind kind;
	enum xb_item_hold hold;
	char *id;    /**< a record's key, a digest, a file's name */
	char *title; /**< what made it, for people; "" where that is not known */
	char *tags;  /**< the tags that reach its blob, with commas; xb_inventory_tags() */
	struct xb_snapshot snapshot; /**< its tree; empty: none */
	char *blob;		     /**< the digest of its blob, or NULL */
	struct xb_room tree;	     /**< of the tree, cache or file, as for `packed` */
	struct xb_room packed;	     /**< of the blob, unless it is counted elsewhere */
	int64_t used;		     /**< microseconds since 1970, never in the future */
	bool blob_needed;	     /**< the blob stays when the item goes */
	bool gone;		     /**< a collection chose it */
	bool tree_gone;		     /**< and its tree, which nobody else names */
	bool blob_gone;		     /**< and its blob, which nobody else names */
};
struct xb_items XB_ARRAY(struct xb_item);

/** All of a store. Starts zeroed. */
struct xb_inventory {
	struct xb_items items;
	struct xb_map *blobs; /**< digest to how many items name it, as a pointer's value */
	struct xb_map *trees; /**< snapshot to that likewise */
	uint64_t tags;
	struct xb_room rest; /**< database, leases, ballast, directories */
};

/** Release. */
void xb_inventory_clear(struct xb_inventory *inventory);
#define xb_auto_inventory XB_CLEANUP(xb_inventory_clear)

/** Room of an item: tree and blob. */
struct xb_room xb_item_room(const struct xb_item *item);
/** What a kind is called: "step", "base", "fetched", "blob", "cachemount", "context", "busy". */
const char *xb_item_kind_name(enum xb_item_kind kind);
/** The kind of this name, as docker's words are also taken; -EINVAL. */
int xb_item_kind_parse(const char *name, enum xb_item_kind *ret);
/** Whether the item is what a person calls `id`: its id, or the beginning of its digest. */
bool xb_item_is(const struct xb_item *item, const char *id);

#endif
