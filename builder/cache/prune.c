/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/prune.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "builder/cache/db.h"
#include "builder/cache/name.h"
#include "builder/cache/origin.h"
#include "builder/cache/piece.h"
#include "builder/cache/record.h"
#include "builder/cache/stock.h"
#include "builder/cache/tag.h"

/* Seconds after which what is remembered of a context is removed, unless it was written anew. */
#define CONTEXT_AGE  ((time_t)30 * 24 * 3600)
#define MICROSECONDS 1000000

/* A collection. */
struct prune {
	struct xb_store *store;
	const struct xb_prune *what;
	struct xb_sweep sweep;
	struct xb_inventory inventory;
	struct xb_strv keys;  /* of records that go */
	struct xb_strv names; /* of things that go, as in a lease */
	uint64_t total;	      /* bytes that are left */
	struct xb_store_pruned pruned;
};

static void prune_clear(struct prune *p)
{
	xb_inventory_clear(&p->inventory);
	xb_strv_clear(&p->keys);
	xb_strv_clear(&p->names);
}

/* ---- deciding ------------------------------------------------------------------------------- */

static bool is_named(const struct xb_prune *what, const struct xb_item *item)
{
	for (size_t i = 0; what->ids != NULL && i < what->ids->len; i++) {
		if (xb_item_is(item, what->ids->items[i]))
			return true;
	}
	return what->ids == NULL || what->ids->len == 0;
}

/* Caches hold what costs time to make again: they go when they are meant. */
static bool is_meant(const struct xb_prune *what, const struct xb_item *item)
{
	if (what->kinds != 0)
		return (what->kinds & XB_PRUNE_KIND(item->kind)) != 0;
	return what->all || (what->ids != NULL && what->ids->len > 0) ||
	       (item->kind != XB_ITEM_CACHE && item->kind != XB_ITEM_CONTEXT);
}

static bool may_go(const struct xb_prune *what, const struct xb_item *item, int64_t now)
{
	return item->hold == XB_HELD_NOT && item->kind != XB_ITEM_BUSY && is_named(what, item) &&
	       is_meant(what, item) &&
	       (what->unused_for <= 0 || item->used <= now - what->unused_for * MICROSECONDS);
}

static int by_use(const void *a, const void *b)
{
	const struct xb_item *one = *(struct xb_item *const *)a;
	const struct xb_item *two = *(struct xb_item *const *)b;

	return one->used < two->used ? -1 : one->used > two->used;
}

/* Things that it shares are counted with another of those that name them. */
static void hand_over(struct prune *p, struct xb_item *item)
{
	for (size_t i = 0; i < p->inventory.items.len; i++) {
		struct xb_item *other = &p->inventory.items.items[i];

		if (other->gone)
			continue;
		if (!item->blob_gone && item->blob != NULL && other->blob != NULL &&
		    strcmp(other->blob, item->blob) == 0) {
			other->packed.bytes += item->packed.bytes;
			item->packed.bytes = 0;
		}
		if (!item->tree_gone && item->snapshot.id[0] != '\0' &&
		    strcmp(other->snapshot.id, item->snapshot.id) == 0) {
			other->tree.bytes += item->tree.bytes;
			item->tree.bytes = 0;
		}
	}
}

/* One less names the thing; whether that was the last. */
static bool drop_name(struct xb_map *counts, const char *name)
{
	uintptr_t names = (uintptr_t)xb_map_get(counts, xb_view(name)) - 1;

	if (names > 0)
		(void)xb_map_set(counts, xb_view(name), (void *)names);
	else
		(void)xb_map_remove(counts, xb_view(name));
	return names == 0;
}

static void let_go(struct prune *p, struct xb_item *item)
{
	bool tree = item->snapshot.id[0] != '\0';
	bool blob_left = item->blob != NULL;
	uint64_t bytes;

	item->gone = true;
	item->tree_gone = tree && drop_name(p->inventory.trees, item->snapshot.id);
	if (item->blob != NULL)
		blob_left = !drop_name(p->inventory.blobs, item->blob);
	item->blob_gone = item->blob != NULL && !blob_left && !item->blob_needed;
	if ((tree && !item->tree_gone) || blob_left)
		hand_over(p, item);
	bytes = tree && !item->tree_gone ? 0 : item->tree.bytes;
	if (item->blob_gone)
		bytes += item->packed.bytes;
	p->total -= bytes < p->total ? bytes : p->total;
	p->pruned.bytes += bytes;
	if (p->what->visit != NULL)
		p->what->visit(p->what->context, item, bytes);
}

/* Whether more is to go; `over` says that the store was larger than it may be. */
static bool go_on(const struct prune *p, bool over)
{
	const struct xb_prune *what = p->what;

	return (over && (what->keep == 0 || p->total > what->keep)) ||
	       p->pruned.bytes < what->least;
}

static void decide(struct prune *p)
{
	int64_t now = xb_clock_now() * MICROSECONDS;
	xb_autofree struct xb_item **order =
		xb_calloc(p->inventory.items.len + 1, sizeof(struct xb_item *));
	size_t len = 0;
	bool over;

	p->total = p->inventory.rest.bytes;
	for (size_t i = 0; i < p->inventory.items.len; i++) {
		struct xb_item *item = &p->inventory.items.items[i];

		p->total += xb_item_room(item).bytes;
		if (may_go(p->what, item, now))
			order[len++] = item;
	}
	qsort(order, len, sizeof(struct xb_item *), by_use);
	over = p->total > p->what->above || p->what->above == 0;
	for (size_t i = 0; i < len && go_on(p, over); i++)
		let_go(p, order[i]);
}

/* ---- carrying out --------------------------------------------------------------------------- */

static int remove_records(struct xb_store *store, const struct xb_strv *keys, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < keys->len; i++)
		r = xb_record_remove(store, keys->items[i], err);
	return r;
}

/* A cache that a step uses is locked by it. */
static int trash_cache(struct prune *p, const struct xb_item *item, struct xb_error *err)
{
	const char *name = item->id;
	xb_auto_fd int fd =
		openat(p->store->caches, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		p->pruned.bytes -= item->tree.bytes;
		p->total += item->tree.bytes;
		return 0;
	}
	p->pruned.caches++;
	return xb_sweep_trash(p->store, &p->sweep, p->store->caches, name, err);
}

static int trash_snapshot(struct prune *p, const char *id, struct xb_error *err)
{
	p->pruned.snapshots++;
	xb_strv_printf(&p->names, "s %s", id);
	return xb_sweep_trash(p->store, &p->sweep, p->store->snapshots, id, err);
}

static int trash_blob(struct prune *p, const char *digest, struct xb_error *err)
{
	xb_autofree char *path = xb_strdup(digest);

	path[strcspn(path, ":")] = '/';
	p->pruned.blobs++;
	xb_strv_printf(&p->names, "b %s", digest);
	return xb_sweep_trash(p->store, &p->sweep, p->store->blobs, path, err);
}

static int trash_item(struct prune *p, const struct xb_item *item, struct xb_error *err)
{
	int r = 0;

	if (item->kind == XB_ITEM_CACHE)
		return trash_cache(p, item, err);
	if (item->kind == XB_ITEM_CONTEXT) {
		(void)unlinkat(p->store->contexts, item->id, 0);
		return 0;
	}
	if (item->kind != XB_ITEM_BLOB)
		xb_strv_push(&p->keys, item->id);
	if (item->tree_gone)
		r = trash_snapshot(p, item->snapshot.id, err);
	return r < 0 || !item->blob_gone ? r : trash_blob(p, item->blob, err);
}

/* What is remembered of contexts costs a reading at most. */
static int remove_old_contexts(struct xb_store *store, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	time_t limit = time(NULL) - CONTEXT_AGE;
	int r = xb_store_list(store->contexts, ".", &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		struct stat st;

		if (fstatat(store->contexts, names.items[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtim.tv_sec < limit)
			(void)unlinkat(store->contexts, names.items[i], 0);
	}
	return r;
}

/* What nobody accounts for goes in any case. */
static int trash_orphans(struct prune *p, struct xb_error *err)
{
	size_t before = p->sweep.trash.len;
	int r = remove_old_contexts(p->store, err);

	if (r >= 0)
		r = xb_sweep_orphans(p->store, &p->sweep, err);
	if (r < 0)
		return r;
	p->pruned.snapshots += (uint64_t)r;
	for (size_t i = before; i < p->sweep.trash.len; i++)
		p->pruned.bytes += xb_disk_room(p->store->ingest, p->sweep.trash.items[i]).bytes;
	return 0;
}

static int carry_out(struct prune *p, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < p->inventory.items.len; i++) {
		if (p->inventory.items.items[i].gone)
			r = trash_item(p, &p->inventory.items.items[i], err);
	}
	p->pruned.records = p->keys.len;
	if (r >= 0)
		r = trash_orphans(p, err);
	return r < 0 ? r : remove_records(p->store, &p->keys, err);
}

static void count_what_would_go(struct prune *p)
{
	for (size_t i = 0; i < p->inventory.items.len; i++) {
		const struct xb_item *item = &p->inventory.items.items[i];

		if (!item->gone)
			continue;
		p->pruned.snapshots += item->tree_gone;
		p->pruned.caches += item->kind == XB_ITEM_CACHE;
		p->pruned.records += item->kind < XB_ITEM_BLOB;
		p->pruned.blobs += item->blob_gone;
	}
}

/* Who needs to know where a blob is: an image, or a build that has been told of it. */
static bool is_reached(void *context, const char *digest)
{
	const struct xb_stock *stock = context;

	return xb_reach_has(stock->reach, digest) || xb_sweep_held(stock->sweep, 'b', digest);
}

/*
 * Decide and move away, under the store lock. Things go before the records that name them, which a
 * kill in between leaves harmless: a record without its things is dropped when it is met. And on a
 * full disk, room is there once the trash is gone: the records are then removed afterwards.
 */
static int collect(struct prune *p, const struct xb_uses *uses, struct xb_error *err)
{
	xb_auto_guard int guard = xb_guard_take(p->store, true, err);
	xb_auto_reach struct xb_reach reach = { 0 };
	struct xb_stock stock = { .store = p->store,
				  .uses = uses,
				  .sweep = &p->sweep,
				  .reach = &reach,
				  .all = p->what->all };
	int r = guard;

	if (r >= 0)
		r = xb_sweep_leases(p->store, &p->sweep, err);
	if (r >= 0)
		r = xb_reach_roots(p->store, &p->sweep, &reach, err);
	if (r >= 0)
		r = xb_stock_take(&stock, &p->inventory, err);
	if (r < 0)
		return r;
	decide(p);
	if (p->what->dry_run) {
		count_what_would_go(p);
		return 0;
	}
	r = carry_out(p, err);
	return r < 0 ? r : xb_origin_sweep(p->store, is_reached, &stock, err);
}

/* Helps for later builds, hence not worth an error; the log's room is given back, too. */
static int tidy(struct prune *p, struct xb_error *err)
{
	int r = xb_piece_sweep(p->store, err);

	if (r >= 0)
		r = xb_name_sweep(p->store, err);
	if (r >= 0)
		r = xb_use_forget(p->store, &p->names, err);
	if (r >= 0)
		(void)xb_db_checkpoint(p->store, NULL);
	return r;
}

static int finish(struct prune *p, int r, struct xb_error *cause, struct xb_error *err)
{
	if (r == -ENOSPC) {
		(void)unlinkat(p->store->dirfd, "ballast", 0);
		r = remove_records(p->store, &p->keys, err);
	} else if (r < 0) {
		xb_error_move(err, cause);
	}
	return r < 0 || p->what->dry_run ? r : tidy(p, err);
}

int xb_store_prune_some(struct xb_store *store, const struct xb_prune *what,
			struct xb_store_pruned *ret, struct xb_error *err)
{
	XB_CLEANUP(prune_clear)
	struct prune p = { .store = store, .what = what, .sweep = XB_SWEEP_INIT };
	xb_auto_uses struct xb_uses uses = { 0 };
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = xb_stock_measure(store, &uses, &cause);

	if (r >= 0)
		r = collect(&p, &uses, &cause);
	xb_sweep_finish(store, &p.sweep);
	r = finish(&p, r, &cause, err);
	if (r < 0)
		return xb_store_wrap(err, r, "collecting in %s", store->root);
	p.pruned.left = p.total;
	*ret = p.pruned;
	return 0;
}

int xb_store_prune(struct xb_store *store, bool all, struct xb_store_pruned *ret,
		   struct xb_error *err)
{
	const struct xb_prune what = { .all = all };

	return xb_store_prune_some(store, &what, ret, err);
}

static int count_record(void *context, const struct xb_record *record)
{
	uint64_t *count = context;

	(void)record;
	++*count;
	return 0;
}

static int count_dir(int dirfd, const char *name, uint64_t *ret_count, uint64_t *ret_bytes,
		     struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(dirfd, name, &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		xb_autofree char *path = xb_format("%s/%s", name, names.items[i]);

		*ret_bytes += xb_disk_room(dirfd, path).bytes;
		++*ret_count;
	}
	return r;
}

int xb_store_usage(struct xb_store *store, struct xb_store_usage *ret, struct xb_error *err)
{
	xb_auto_strv struct xb_strv algorithms = XB_STRV_INIT;
	xb_auto_tags struct xb_tags tags = { 0 };
	struct xb_store_usage usage = { 0 };
	int r = xb_tag_list(store, &tags, err);

	usage.tags = tags.len;
	if (r >= 0)
		r = xb_record_each(store, count_record, &usage.records, err);
	if (r >= 0)
		r = xb_store_list(store->blobs, ".", &algorithms, err);
	for (size_t i = 0; r >= 0 && i < algorithms.len; i++)
		r = count_dir(store->blobs, algorithms.items[i], &usage.blobs, &usage.blob_bytes,
			      err);
	if (r >= 0)
		r = count_dir(store->snapshots, ".", &usage.snapshots, &usage.snapshot_bytes, err);
	if (r >= 0)
		r = count_dir(store->caches, ".", &usage.caches, &usage.cache_bytes, err);
	if (r < 0)
		return r;
	*ret = usage;
	return 0;
}
