/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/fetch.h"

#include "builder/solve/remote.h"

/* A fetch that is going on. */
struct fetching {
	struct xb_step_shared *shared;
	size_t index;
};

static bool find_secret(void *context, const char *id, struct xb_view *ret)
{
	const struct fetching *f = context;

	return xb_fetch_secret((void *)(uintptr_t)f->shared->secrets, id, ret);
}

static void tell(void *context, struct xb_view line)
{
	const struct fetching *f = context;

	xb_events_post(f->shared->events, XB_EVENT_OUTPUT, f->index, 2, line);
}

static const char *agent_of(const struct xb_step_shared *shared)
{
	const struct xb_agent_source *agent =
		shared->agents != NULL ? xb_agent_find(shared->agents, "default") : NULL;

	return agent != NULL ? agent->socket : NULL;
}

/* What stands for the tree in the keys of steps that read all of it. */
static struct xb_digest identity_of(const struct xb_fetched *fetched)
{
	xb_auto_hasher struct xb_hasher *h = xb_hasher_new();

	xb_hasher_field(h, xb_view("fetched"));
	xb_hasher_field(h, xb_view(fetched->content.text));
	xb_hasher_field(h, xb_view(fetched->name));
	return xb_hasher_finish(h);
}

int xb_step_fetch(struct xb_step_shared *shared, size_t index, struct xb_result *ret,
		  struct xb_error *err)
{
	struct fetching f = { .shared = shared, .index = index };
	struct xb_fetch_options options = {
		.context = &f,
		.secret = find_secret,
		.progress = tell,
		.ssh_agent = agent_of(shared),
		.cancel_fd = shared->cancel_fd,
		.fresh = shared->no_cache && !shared->offline,
		.offline = shared->offline,
		.max_size = shared->max_layer,
	};
	struct xb_fetched fetched;
	struct xb_digest identity;
	int r;

	xb_events_post(shared->events, XB_EVENT_STARTED, index, 0, xb_view(NULL));
	r = xb_fetch_described(shared->store, &shared->plan->steps[index].fetch, &options, &fetched,
			       err);

	if (r < 0)
		return r;
	identity = identity_of(&fetched);
	xb_result_of_tree(ret, &fetched.snapshot, &identity);
	ret->cached = fetched.cached;
	return 0;
}
