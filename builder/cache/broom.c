/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/broom.h"

#include <signal.h>
#include <stdatomic.h>

#include "base/background.h"
#include "base/clock.h"
#include "base/file.h"

/* How long the end of a process may wait for it. */
#define PATIENCE (2 * UINT64_C(1000000000))

struct xb_broom {
	struct xb_store *store;
	struct xb_strv trash;
	pthread_t thread;
	_Atomic uint64_t end; /* xb_clock_monotonic() at which it stops; 0: not yet known */
};

static bool is_over(void *context)
{
	struct xb_broom *broom = context;
	uint64_t end = atomic_load_explicit(&broom->end, memory_order_relaxed);

	return end != 0 && xb_clock_monotonic() >= end;
}

/* What cannot be removed is left for the next sweep, as what there was no time for. */
static void leave(struct xb_store *store, const char *name)
{
	XB_STORE_LOCKED(store);
	(void)xb_map_set(store->begun, xb_view(name), store);
}

static void *sweep(void *argument)
{
	struct xb_broom *broom = argument;

	for (size_t i = 0; i < broom->trash.len; i++) {
		const char *name = broom->trash.items[i];

		if (xb_remove_tree_until(broom->store->ingest, name, is_over, broom, NULL) < 0)
			leave(broom->store, name);
	}
	return NULL;
}

static void *sweep_behind(void *argument)
{
	xb_background_enter();
	return sweep(argument);
}

static void broom_free(struct xb_broom *broom)
{
	xb_strv_clear(&broom->trash);
	free(broom);
}

void xb_broom_start(struct xb_store *store, struct xb_strv *trash)
{
	struct xb_broom *broom;
	sigset_t all, before;
	bool started;

	if (trash->len == 0)
		return;
	broom = xb_calloc(1, sizeof(*broom));
	broom->store = store;
	broom->trash = *trash;
	*trash = XB_STRV_INIT;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_create(&broom->thread, NULL, sweep_behind, broom) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (started) {
		store->broom = broom;
		return;
	}
	(void)sweep(broom);
	broom_free(broom);
}

void xb_broom_stop(struct xb_store *store)
{
	struct xb_broom *broom = XB_STEAL(store->broom);

	if (broom == NULL)
		return;
	atomic_store(&broom->end, xb_clock_monotonic() + PATIENCE);
	(void)pthread_join(broom->thread, NULL);
	broom_free(broom);
}
