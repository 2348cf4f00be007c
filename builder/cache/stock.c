/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/stock.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "builder/cache/record.h"
#include "manifest/index.h"
#include "manifest/layout.h"

#define MICROSECONDS 1000000

/* ---- measuring ------------------------------------------------------------------------------ */

struct measuring {
	struct xb_store *store;
	struct xb_uses *uses;
	struct xb_map *recorded; /* snapshots that records name */
	struct xb_strv names;	 /* of what is to be remembered */
	struct xb_rooms XB_ARRAY(struct xb_room) rooms;
};

static void measuring_clear(struct measuring *m)
{
	xb_map_free(m->recorded);
	xb_strv_clear(&m->names);
	xb_array_clear(&m->rooms);
}

static int note_snapshot(void *context, const struct xb_record *record)
{
	struct measuring *m = context;

	if (record->snapshot.id[0] != '\0')
		(void)xb_map_set(m->recorded, xb_view(record->snapshot.id), m);
	return 0;
}

static void set_size(struct xb_uses *uses, const char *name, const struct xb_room *room)
{
	struct xb_use use = xb_use_of(uses, name);

	use.bytes = (int64_t)room->bytes;
	use.inodes = (int64_t)room->inodes;
	xb_uses_set(uses, name, &use);
}

/* A tree in the making changes: what it takes now is not remembered. */
static void measure_snapshot(struct measuring *m, const char *id)
{
	xb_autofree char *name = xb_format("s %s", id);
	struct xb_room room;

	if (xb_use_of(m->uses, name).bytes >= 0)
		return;
	room = xb_disk_room(m->store->snapshots, id);
	set_size(m->uses, name, &room);
	if (xb_map_get(m->recorded, xb_view(id)) == NULL)
		return;
	xb_strv_push(&m->names, name);
	*xb_array_push(&m->rooms) = room;
}

static int measure_caches(struct measuring *m, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(m->store->caches, ".", &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		xb_autofree char *name = xb_format("c %s", names.items[i]);
		struct xb_room room = xb_disk_room(m->store->caches, names.items[i]);

		set_size(m->uses, name, &room);
	}
	return r;
}

int xb_stock_measure(struct xb_store *store, struct xb_uses *ret, struct xb_error *err)
{
	XB_CLEANUP(measuring_clear)
	struct measuring m = { .store = store, .uses = ret, .recorded = xb_map_new() };
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_use_read(store, ret, err);

	if (r >= 0)
		r = xb_record_each(store, note_snapshot, &m, err);
	if (r >= 0)
		r = xb_store_list(store->snapshots, ".", &names, err);
	for (size_t i = 0; r >= 0 && i < names.len; i++)
		measure_snapshot(&m, names.items[i]);
	if (r >= 0)
		r = measure_caches(&m, err);
	/* a help for the next time: on a full disk there is none */
	if (r >= 0)
		(void)xb_use_put_sizes(store, &m.names, m.rooms.items, NULL);
	return r < 0 ? r : 0;
}

/* ---- items ---------------------------------------------------------------------------------- */

struct taking {
	const struct xb_stock *stock;
	struct xb_inventory *ret;
	int64_t now;
};

static struct xb_item *add_item(struct taking *t, enum xb_item_kind kind, const char *id,
				const char *title)
{
	struct xb_item *item = xb_array_push(&t->ret->items);

	item->kind = kind;
	item->id = xb_strdup(id);
	item->title = xb_strdup(title);
	return item;
}

/* The clock may have been set back since. */
static int64_t past(const struct taking *t, int64_t used)
{
	return used < t->now ? used : t->now;
}

static struct xb_room room_of(const struct xb_use *use)
{
	return (struct xb_room){ .bytes = use->bytes > 0 ? (uint64_t)use->bytes : 0,
				 .inodes = use->inodes > 0 ? (uint64_t)use->inodes : 0 };
}

static struct xb_room room_of_file(int dirfd, const char *path, int64_t *ret_changed)
{
	struct stat st;

	*ret_changed = 0;
	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return (struct xb_room){ 0 };
	*ret_changed = (int64_t)st.st_mtim.tv_sec * MICROSECONDS;
	return (struct xb_room){ .bytes = (uint64_t)st.st_blocks * 512, .inodes = 1 };
}

static char *blob_path(const char *digest)
{
	char *path = xb_strdup(digest);
	char *colon = strchr(path, ':');

	if (colon != NULL)
		*colon = '/';
	return path;
}

/* Count one more item that names the thing; whether it is the first. */
static bool count_name(struct xb_map *counts, const char *name)
{
	uintptr_t before = (uintptr_t)xb_map_get(counts, xb_view(name));

	(void)xb_map_set(counts, xb_view(name), (void *)(before + 1));
	return before == 0;
}

static void add_blob(struct taking *t, struct xb_item *item, const char *digest)
{
	xb_autofree char *name = xb_format("b %s", digest);
	xb_autofree char *path = blob_path(digest);
	int64_t used = xb_use_of(t->stock->uses, name).used;
	int64_t changed;
	struct xb_room room = room_of_file(t->stock->store->blobs, path, &changed);

	item->blob = xb_strdup(digest);
	item->blob_needed = xb_reach_has(t->stock->reach, digest) ||
			    xb_sweep_held(t->stock->sweep, 'b', digest);
	if (count_name(t->ret->blobs, digest))
		item->packed = room;
	if (used == 0)
		used = changed;
	if (item->used < used)
		item->used = past(t, used);
}

/* A record's blob alone being held does not keep its tree: equal layers have one blob. */
static enum xb_item_hold hold_of(const struct taking *t, const struct xb_item *item)
{
	const struct xb_stock *stock = t->stock;
	bool tree = item->snapshot.id[0] != '\0';

	if (tree && xb_sweep_held(stock->sweep, 's', item->snapshot.id))
		return XB_HELD_PROCESS;
	if (item->blob == NULL)
		return XB_HELD_NOT;
	if (!tree && xb_sweep_held(stock->sweep, 'b', item->blob))
		return XB_HELD_PROCESS;
	if (item->kind != XB_ITEM_BLOB && stock->all)
		return XB_HELD_NOT;
	return xb_reach_has(stock->reach, item->blob) ? XB_HELD_TAG : XB_HELD_NOT;
}

static const struct {
	const char *prefix;
	enum xb_item_kind kind;
	const char *title;
} record_kinds[] = {
	{ XB_RECORD_CHAIN, XB_ITEM_BASE, "layer of a base image" },
	{ XB_RECORD_MERGED, XB_ITEM_BASE, "many layers, merged" },
	{ XB_RECORD_ROSTER, XB_ITEM_BASE, "what a layer of a base image lists" },
	{ "http:", XB_ITEM_FETCHED, "fetched by HTTP" },
	{ "git:", XB_ITEM_FETCHED, "fetched by git" },
	{ "archive:", XB_ITEM_FETCHED, "unpacked archive" },
	{ "", XB_ITEM_STEP, "" },
};

static size_t kind_of(const char *key)
{
	size_t i = 0;

	while (strncmp(key, record_kinds[i].prefix, strlen(record_kinds[i].prefix)) != 0)
		i++;
	return i;
}

static int add_record(void *context, const struct xb_record *record)
{
	struct taking *t = context;
	size_t k = kind_of(record->key);
	struct xb_item *item =
		add_item(t, record_kinds[k].kind, record->key,
			 record->title[0] != '\0' ? record->title : record_kinds[k].title);
	xb_autofree char *name = xb_format("s %s", record->snapshot.id);
	struct xb_use use = xb_use_of(t->stock->uses, name);

	item->snapshot = record->snapshot;
	item->used = past(t, use.used > 0 ? use.used : record->created * MICROSECONDS);
	if (record->snapshot.id[0] != '\0' && count_name(t->ret->trees, record->snapshot.id))
		item->tree = room_of(&use);
	if (!xb_digest_empty(&record->blob))
		add_blob(t, item, record->blob.text);
	item->hold = hold_of(t, item);
	return 0;
}

static int add_loose_blobs(struct taking *t, const char *algorithm, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(t->stock->store->blobs, algorithm, &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		xb_autofree char *digest = xb_format("%s:%s", algorithm, names.items[i]);
		struct xb_item *item;

		if (xb_map_get(t->ret->blobs, xb_view(digest)) != NULL)
			continue;
		item = add_item(t, XB_ITEM_BLOB, digest, "");
		add_blob(t, item, digest);
		item->hold = hold_of(t, item);
	}
	return r;
}

static int add_blobs(struct taking *t, struct xb_error *err)
{
	xb_auto_strv struct xb_strv algorithms = XB_STRV_INIT;
	int r = xb_store_list(t->stock->store->blobs, ".", &algorithms, err);

	for (size_t i = 0; r >= 0 && i < algorithms.len; i++)
		r = add_loose_blobs(t, algorithms.items[i], err);
	return r;
}

/* Whether a step uses one is seen when it is to go: looking would be in the way of steps. */
static int add_caches(struct taking *t, struct xb_error *err)
{
	int dirfd = t->stock->store->caches;
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(dirfd, ".", &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		xb_autofree char *name = xb_format("c %s", names.items[i]);
		struct xb_item *item = add_item(t, XB_ITEM_CACHE, names.items[i], "");
		struct xb_use use = xb_use_of(t->stock->uses, name);

		(void)room_of_file(dirfd, names.items[i], &item->used);
		item->used = past(t, item->used);
		item->tree = room_of(&use);
	}
	return r;
}

static int add_contexts(struct taking *t, struct xb_error *err)
{
	int dirfd = t->stock->store->contexts;
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(dirfd, ".", &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		struct xb_item *item = add_item(t, XB_ITEM_CONTEXT, names.items[i], "");

		item->tree = room_of_file(dirfd, names.items[i], &item->used);
		item->used = past(t, item->used);
	}
	return r;
}

/* What no record names and somebody holds; the rest is for the sweep. */
static int add_busy(struct taking *t, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(t->stock->store->snapshots, ".", &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		xb_autofree char *name = xb_format("s %s", names.items[i]);
		struct xb_use use = xb_use_of(t->stock->uses, name);
		struct xb_item *item;

		if (xb_map_get(t->ret->trees, xb_view(names.items[i])) != NULL)
			continue;
		item = add_item(t, XB_ITEM_BUSY, names.items[i], "");
		item->tree = room_of(&use);
		item->used = t->now;
		item->hold = XB_HELD_PROCESS;
	}
	return r;
}

static void add_room(struct xb_room *sum, const struct xb_room *room)
{
	sum->bytes += room->bytes;
	sum->inodes += room->inodes;
}

/* Whether the things below a directory of the store are items. */
static bool holds_items(const char *name)
{
	static const char *const names[] = { "blobs", "snapshots", "caches", "contexts" };

	for (size_t i = 0; i < XB_COUNT(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static int add_rest(struct taking *t, struct xb_error *err)
{
	const struct xb_store *store = t->stock->store;
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_layout_index(store->layout, &index, err);

	for (size_t i = 0; r >= 0 && i < index.manifests.len; i++)
		t->ret->tags += xb_annotations_get(&index.manifests.items[i].annotations,
						   XB_ANNOTATION_REF_NAME) != NULL;
	if (r >= 0)
		r = xb_store_list(store->dirfd, ".", &names, err);
	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		int64_t changed;
		struct xb_room room = holds_items(names.items[i])
					      ? room_of_file(store->dirfd, names.items[i], &changed)
					      : xb_disk_room(store->dirfd, names.items[i]);

		add_room(&t->ret->rest, &room);
	}
	xb_strv_clear(&names);
	if (r >= 0)
		r = xb_store_list(store->blobs, ".", &names, err);
	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		int64_t changed;
		struct xb_room room = room_of_file(store->blobs, names.items[i], &changed);

		add_room(&t->ret->rest, &room);
	}
	return r;
}

int xb_stock_take(const struct xb_stock *stock, struct xb_inventory *ret, struct xb_error *err)
{
	struct taking t = { .stock = stock, .ret = ret, .now = xb_clock_now() * MICROSECONDS };
	int r;

	ret->blobs = xb_map_new();
	ret->trees = xb_map_new();
	r = xb_record_each(stock->store, add_record, &t, err);
	if (r >= 0)
		r = add_blobs(&t, err);
	if (r >= 0)
		r = add_caches(&t, err);
	if (r >= 0)
		r = add_contexts(&t, err);
	if (r >= 0)
		r = add_busy(&t, err);
	return r < 0 ? r : add_rest(&t, err);
}
