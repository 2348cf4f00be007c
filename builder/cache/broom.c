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
	pthread_t thread;
	pthread_mutex_t mutex; /* guards trash and stopping */
	pthread_cond_t more;
	struct xb_strv trash;
	bool stopping;
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

static void sweep(struct xb_broom *broom, struct xb_strv *trash)
{
	for (size_t i = 0; i < trash->len; i++) {
		const char *name = trash->items[i];

		if (xb_remove_tree_until(broom->store->ingest, name, is_over, broom, NULL) < 0)
			leave(broom->store, name);
	}
	xb_strv_clear(trash);
}

/* Wait for trash and take it. False: there is none, and none will come. */
static bool take(struct xb_broom *broom, struct xb_strv *ret)
{
	pthread_mutex_lock(&broom->mutex);
	while (broom->trash.len == 0 && !broom->stopping)
		pthread_cond_wait(&broom->more, &broom->mutex);
	*ret = broom->trash;
	broom->trash = XB_STRV_INIT;
	pthread_mutex_unlock(&broom->mutex);
	return ret->len > 0;
}

static void *sweep_behind(void *argument)
{
	struct xb_broom *broom = argument;
	struct xb_strv trash;

	xb_background_enter();
	while (take(broom, &trash))
		sweep(broom, &trash);
	return NULL;
}

static void broom_free(struct xb_broom *broom)
{
	(void)pthread_mutex_destroy(&broom->mutex);
	(void)pthread_cond_destroy(&broom->more);
	xb_strv_clear(&broom->trash);
	free(broom);
}

static bool start(struct xb_broom *broom)
{
	sigset_t all, before;
	bool started;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_create(&broom->thread, NULL, sweep_behind, broom) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

static struct xb_broom *broom_new(struct xb_store *store)
{
	struct xb_broom *broom = xb_calloc(1, sizeof(*broom));

	broom->store = store;
	broom->trash = XB_STRV_INIT;
	(void)pthread_mutex_init(&broom->mutex, NULL);
	(void)pthread_cond_init(&broom->more, NULL);
	return broom;
}

/* The store's, started now if it has none; NULL: there can be no thread. */
static struct xb_broom *broom_of(struct xb_store *store)
{
	struct xb_broom *broom;

	XB_STORE_LOCKED(store);
	if (store->broom != NULL)
		return store->broom;
	broom = broom_new(store);
	if (!start(broom)) {
		broom_free(broom);
		return NULL;
	}
	store->broom = broom;
	return broom;
}

static void sweep_now(struct xb_store *store, struct xb_strv *trash)
{
	struct xb_broom *broom = broom_new(store);

	sweep(broom, trash);
	broom_free(broom);
}

void xb_broom_give(struct xb_store *store, struct xb_strv *trash)
{
	struct xb_broom *broom;

	if (trash->len == 0)
		return;
	broom = broom_of(store);
	if (broom == NULL) {
		sweep_now(store, trash);
		return;
	}
	pthread_mutex_lock(&broom->mutex);
	xb_strv_append(&broom->trash, trash);
	pthread_mutex_unlock(&broom->mutex);
	(void)pthread_cond_signal(&broom->more);
	xb_strv_clear(trash);
}

void xb_broom_stop(struct xb_store *store)
{
	struct xb_broom *broom = XB_STEAL(store->broom);

	if (broom == NULL)
		return;
	pthread_mutex_lock(&broom->mutex);
	broom->stopping = true;
	pthread_mutex_unlock(&broom->mutex);
	atomic_store(&broom->end, xb_clock_monotonic() + PATIENCE);
	(void)pthread_cond_signal(&broom->more);
	(void)pthread_join(broom->thread, NULL);
	broom_free(broom);
}
