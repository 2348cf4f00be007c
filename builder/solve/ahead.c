/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/ahead.h"

#include "base/pool.h"
#include "builder/solve/trees.h"

/* Bases at once: each has several layers on their way. */
#define MOST_AT_ONCE 4

/* One base. `job` is first. */
struct making {
	struct xb_job job;
	struct xb_step_shared *shared;
	size_t index;
	const struct xb_result *result;
};

struct xb_ahead {
	struct xb_step_shared *shared;
	struct xb_pool *pool; /* once there is something to do */
	struct XB_ARRAY(struct making *) begun;
};

struct xb_ahead *xb_ahead_new(struct xb_step_shared *shared)
{
	struct xb_ahead *ahead = xb_calloc(1, sizeof(*ahead));

	ahead->shared = shared;
	return ahead;
}

void xb_ahead_free(struct xb_ahead *ahead)
{
	if (ahead == NULL)
		return;
	xb_pool_free(ahead->pool);
	for (size_t i = 0; i < ahead->begun.len; i++)
		free(ahead->begun.items[i]);
	xb_array_clear(&ahead->begun);
	free(ahead);
}

/* In a worker. */
static void make(struct xb_job *job)
{
	const struct making *m = (const struct making *)job;
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;

	if (atomic_load(&m->shared->cancelled))
		return;
	(void)xb_trees_paths(m->shared->store, m->result, m->shared->max_layer, &lowers, &warnings,
			     NULL);
	for (size_t i = 0; i < warnings.len; i++)
		xb_events_post(m->shared->events, XB_EVENT_WARNING, m->index, 0,
			       xb_view(warnings.items[i]));
}

void xb_ahead_begin(struct xb_ahead *ahead, size_t index, const struct xb_result *result)
{
	struct making *m;

	if (ahead->pool == NULL && xb_pool_new(MOST_AT_ONCE, &ahead->pool, NULL) < 0)
		return;
	m = xb_calloc(1, sizeof(*m));
	*m = (struct making){ .job.run = make, .shared = ahead->shared, .index = index };
	m->result = result;
	*xb_array_push(&ahead->begun) = m;
	xb_pool_submit(ahead->pool, &m->job);
}
