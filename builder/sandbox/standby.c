/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/sandbox/standby.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/array.h"

/* One that waits, and for what; no program and no root is in `like`. */
struct waiting {
	struct xb_sandbox_spec like;
	struct xb_sandbox *sandbox;
};

struct xb_standby {
	pthread_mutex_t lock; /* guards `list` */
	struct XB_ARRAY(struct waiting) list;
};

struct xb_standby *xb_standby_new(void)
{
	struct xb_standby *standby = xb_calloc(1, sizeof(*standby));

	(void)pthread_mutex_init(&standby->lock, NULL);
	return standby;
}

void xb_standby_free(struct xb_standby *standby)
{
	if (standby == NULL)
		return;
	/* all at once, since the end of each takes a while */
	for (size_t i = 0; i < standby->list.len; i++)
		xb_sandbox_kill(standby->list.items[i].sandbox);
	for (size_t i = 0; i < standby->list.len; i++) {
		xb_sandbox_free(standby->list.items[i].sandbox);
		xb_sandbox_spec_clear(&standby->list.items[i].like);
	}
	xb_array_clear(&standby->list);
	(void)pthread_mutex_destroy(&standby->lock);
	free(standby);
}

static bool is_full(struct xb_standby *standby)
{
	bool full;

	(void)pthread_mutex_lock(&standby->lock);
	full = standby->list.len >= XB_STANDBY_MOST;
	(void)pthread_mutex_unlock(&standby->lock);
	return full;
}

static void add(struct xb_standby *standby, const struct xb_sandbox_spec *like,
		struct xb_sandbox *sandbox)
{
	struct waiting waiting = {
		.like = { .network = like->network,
			  .private_userns = like->private_userns,
			  .emulator_fd = like->emulator_fd,
			  .guard = xb_strdup(like->guard),
			  .shm_size = like->shm_size },
		.sandbox = sandbox,
	};

	xb_strv_copy(&waiting.like.binfmt, &like->binfmt);
	(void)pthread_mutex_lock(&standby->lock);
	*xb_array_push(&standby->list) = waiting;
	(void)pthread_mutex_unlock(&standby->lock);
}

void xb_standby_prepare(struct xb_standby *standby, const struct xb_sandbox_spec *like)
{
	struct xb_sandbox *sandbox = NULL;

	if (xb_sandbox_can_begin(like) && !is_full(standby) &&
	    xb_sandbox_begin(like, &sandbox, NULL) >= 0)
		add(standby, like, sandbox);
}

/* One that is alike, taken off the list, or NULL. */
static struct xb_sandbox *take(struct xb_standby *standby, const struct xb_sandbox_spec *spec)
{
	struct xb_sandbox *found = NULL;

	(void)pthread_mutex_lock(&standby->lock);
	for (size_t i = 0; i < standby->list.len && found == NULL; i++) {
		struct waiting *waiting = &standby->list.items[i];

		if (!xb_sandbox_alike(&waiting->like, spec))
			continue;
		found = waiting->sandbox;
		xb_sandbox_spec_clear(&waiting->like);
		*waiting = standby->list.items[--standby->list.len];
	}
	(void)pthread_mutex_unlock(&standby->lock);
	return found;
}

int xb_standby_start(struct xb_standby *standby, const struct xb_sandbox_spec *spec,
		     const struct xb_sandbox_io *io, struct xb_sandbox **ret, struct xb_error *err)
{
	xb_auto_sandbox struct xb_sandbox *taken =
		xb_sandbox_can_begin(spec) ? take(standby, spec) : NULL;

	if (taken == NULL || xb_sandbox_go(taken, spec, io, NULL) < 0)
		return xb_sandbox_start(spec, io, ret, err);
	*ret = XB_STEAL(taken);
	return 0;
}
