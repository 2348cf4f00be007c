/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/limit.h"

#include <sys/statvfs.h>

#include "base/clock.h"
#include "builder/cache/prune.h"
#include "builder/cache/state.h"

/* Nanoseconds between two looks. */
#define INTERVAL ((uint64_t)5 * 1000000000)
/* Bytes that a full disk is given, at most. */
#define RELIEF ((uint64_t)30 << 30)

/* A file system, in bytes. */
struct space {
	uint64_t size;
	uint64_t used;
	uint64_t available;
	uint64_t floor; /* what stays free */
};

static bool look(const struct xb_store *store, struct space *ret)
{
	struct statvfs vfs;

	if (fstatvfs(store->dirfd, &vfs) < 0 || vfs.f_blocks == 0)
		return false;
	ret->size = (uint64_t)vfs.f_blocks * vfs.f_frsize;
	ret->used = (uint64_t)(vfs.f_blocks - vfs.f_bfree) * vfs.f_frsize;
	ret->available = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	ret->floor = ret->size / 100 * XB_LIMIT_FREE;
	if (ret->floor > XB_LIMIT_FREE_MOST)
		ret->floor = XB_LIMIT_FREE_MOST;
	return true;
}

void xb_limit_set(struct xb_store *store, uint64_t bytes)
{
	XB_STORE_LOCKED(store);
	store->limit = bytes;
}

/* The bound that was set; XB_LIMIT_NONE also when it was looked at lately. */
static uint64_t turn(struct xb_store *store)
{
	uint64_t now = xb_clock_monotonic();

	XB_STORE_LOCKED(store);
	if (store->limit_looked != 0 && now - store->limit_looked < INTERVAL)
		return XB_LIMIT_NONE;
	store->limit_looked = now;
	return store->limit;
}

/* Caches of mounts count, and go in their turn: else one large cache would cost all the rest. */
static uint64_t collect(struct xb_store *store, struct xb_prune *what)
{
	struct xb_store_pruned pruned = { 0 };

	what->kinds = XB_PRUNE_KIND(XB_ITEM_STEP) | XB_PRUNE_KIND(XB_ITEM_BASE) |
		      XB_PRUNE_KIND(XB_ITEM_FETCHED) | XB_PRUNE_KIND(XB_ITEM_BLOB) |
		      XB_PRUNE_KIND(XB_ITEM_CACHE);
	/* a store that cannot be collected is one that the build will have its own words for */
	(void)xb_store_prune_some(store, what, &pruned, NULL);
	return pruned.bytes;
}

void xb_limit_enforce(struct xb_store *store)
{
	uint64_t limit = turn(store);
	struct xb_prune what = { 0 };
	struct space space;

	if (limit == XB_LIMIT_NONE || !look(store, &space))
		return;
	if (limit == 0)
		limit = space.size / 100 * XB_LIMIT_SHARE;
	/* the file system holds the store and more */
	if (space.used <= limit && space.available >= space.floor)
		return;
	what.above = limit;
	/* somewhat less, so that not every step collects */
	what.keep = limit / 10 * 9 + 1;
	if (space.available < space.floor)
		what.least = space.floor - space.available;
	(void)collect(store, &what);
}

bool xb_limit_relieve(struct xb_store *store)
{
	struct xb_prune what = { .above = UINT64_MAX };
	struct space space;
	uint64_t limit;

	{
		XB_STORE_LOCKED(store);
		limit = store->limit;
	}
	if (limit == XB_LIMIT_NONE || !look(store, &space))
		return false;
	/* nobody knows how much the step will need */
	what.least = space.size / 4 < RELIEF ? space.size / 4 : RELIEF;
	return collect(store, &what) > 0;
}
