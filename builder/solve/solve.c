/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/solve.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/pool.h"
#include "builder/solve/step.h"

/* Even one processor runs two steps: one of them mostly waits for the disk or the network. */
#define LEAST_JOBS 2

/* A step on its way. `job` is first, so that a job from the pool is its task. */
struct task {
	struct xb_job job;
	struct solver *solver;
	size_t index;
	size_t waits_for; /* inputs that have no result yet */
	struct xb_result result;
	struct xb_error error;
	int status; /* what xb_step_carry_out() returned */
};

struct solver {
	const struct xb_solve_request *request;
	struct xb_step_shared shared;
	struct xb_pool *pool;
	struct task *tasks;
	size_t running;
	size_t done;
	int failed; /* the first failure's code, 0 while there is none */
	struct xb_error error;
};

static void solver_clear(struct solver *s)
{
	xb_pool_free(s->pool);
	for (size_t i = 0; i < s->request->plan->step_count; i++) {
		xb_result_clear(&s->tasks[i].result);
		xb_error_clear(&s->tasks[i].error);
	}
	free(s->tasks);
	xb_crew_free(s->shared.crew);
	xb_events_free(s->shared.events);
	xb_cleanup_fd(&s->shared.cancel_fd);
	xb_error_clear(&s->error);
}

static const struct xb_result *result_of(const struct solver *s, size_t index)
{
	return index == XB_STEP_NONE ? NULL : &s->tasks[index].result;
}

/* In a worker. Inputs are finished and do not change any more. */
static void run_task(struct xb_job *job)
{
	struct task *task = (struct task *)job;
	struct solver *s = task->solver;
	const struct xb_step *step = &s->request->plan->steps[task->index];
	size_t count = xb_step_input_count(step);
	xb_autofree const struct xb_result **inputs = xb_calloc(count, sizeof(*inputs));
	enum xb_event_kind outcome = XB_EVENT_DONE;

	for (size_t i = 0; i < count; i++)
		inputs[i] = result_of(s, xb_step_input(step, i));
	task->status =
		xb_step_carry_out(&s->shared, task->index, inputs, &task->result, &task->error);
	if (task->status < 0)
		outcome = atomic_load(&s->shared.cancelled) ? XB_EVENT_CANCELLED : XB_EVENT_FAILED;
	xb_events_post(s->shared.events, outcome, task->index, 0, xb_view(NULL));
}

static void submit(struct solver *s, size_t index)
{
	s->running++;
	xb_pool_submit(s->pool, &s->tasks[index].job);
}

static void cancel(struct solver *s)
{
	uint64_t one = 1;

	atomic_store(&s->shared.cancelled, true);
	(void)!write(s->shared.cancel_fd, &one, sizeof(one));
}

static void fail(struct solver *s, int r, struct xb_error *cause)
{
	if (s->failed != 0)
		return;
	s->failed = r;
	xb_error_move(&s->error, cause);
	cancel(s);
}

/* How often a step reads the tree of step `index`. */
static size_t count_uses(const struct xb_step *step, size_t index)
{
	size_t n = 0;

	for (size_t i = 0; i < xb_step_input_count(step); i++)
		n += xb_step_input(step, i) == index;
	return n;
}

/* A result is there: steps that waited for it alone are ready. */
static void release_dependents(struct solver *s, size_t index)
{
	const struct xb_plan *plan = s->request->plan;

	for (size_t i = index + 1; i < plan->step_count; i++) {
		size_t uses = count_uses(&plan->steps[i], index);

		if (uses == 0)
			continue;
		s->tasks[i].waits_for -= uses;
		if (s->tasks[i].waits_for == 0 && s->failed == 0)
			submit(s, i);
	}
}

static void collect(struct solver *s)
{
	struct xb_job *job;

	while ((job = xb_pool_collect(s->pool)) != NULL) {
		struct task *task = (struct task *)job;

		s->running--;
		s->done++;
		if (task->status < 0)
			fail(s, task->status, &task->error);
		else
			release_dependents(s, task->index);
	}
}

static void tell(struct solver *s)
{
	const struct xb_observer *observer = &s->request->observer;
	struct xb_event event;

	while (xb_events_take(s->shared.events, &event)) {
		if (observer->event != NULL)
			observer->event(observer->context, &event);
		xb_event_clear(&event);
	}
}

static void stop_asked(struct solver *s)
{
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;

	(void)xb_error_set(&cause, -ECANCELED, "interrupted");
	(void)xb_error_fault(&cause, XB_FAULT_INTERRUPTED);
	fail(s, -ECANCELED, &cause);
}

static void loop(struct solver *s)
{
	const struct xb_observer *observer = &s->request->observer;
	int timeout = observer->tick != NULL && observer->tick_ms > 0 ? observer->tick_ms : -1;

	while (s->running > 0) {
		struct pollfd fds[] = {
			{ .fd = xb_pool_fd(s->pool), .events = POLLIN },
			{ .fd = xb_events_fd(s->shared.events), .events = POLLIN },
			{ .fd = s->failed == 0 ? s->request->stop_fd : -1, .events = POLLIN },
		};

		(void)poll(fds, XB_COUNT(fds), timeout);
		if (fds[2].revents != 0)
			stop_asked(s);
		collect(s);
		tell(s);
		if (timeout > 0)
			observer->tick(observer->context);
	}
	tell(s);
}

static unsigned processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static unsigned default_jobs(void)
{
	return processors() > LEAST_JOBS ? processors() : LEAST_JOBS;
}

static int prepare(struct solver *s, struct xb_error *err)
{
	const struct xb_solve_request *request = s->request;
	int r = xb_events_new(&s->shared.events, err);

	if (r < 0)
		return r;
	s->shared.cancel_fd = eventfd(0, EFD_CLOEXEC);
	if (s->shared.cancel_fd < 0)
		return xb_error_errno(err, -errno, "making an event descriptor");
	r = xb_pool_new(request->jobs > 0 ? request->jobs : default_jobs(), &s->pool, err);
	if (r == 0)
		r = xb_crew_new(processors() - 1, &s->shared.crew, err);
	for (size_t i = 0; i < request->plan->step_count; i++) {
		const struct xb_step *step = &request->plan->steps[i];

		s->tasks[i].job.run = run_task;
		s->tasks[i].solver = s;
		s->tasks[i].index = i;
		s->tasks[i].waits_for = xb_step_input_count(step) - count_uses(step, XB_STEP_NONE);
	}
	return r;
}

static void take_results(struct solver *s, struct xb_results *ret)
{
	ret->len = s->request->plan->step_count;
	ret->items = xb_calloc(ret->len, sizeof(*ret->items));
	for (size_t i = 0; i < ret->len; i++) {
		ret->items[i] = s->tasks[i].result;
		s->tasks[i].result = (struct xb_result){ 0 };
	}
}

int xb_solve(const struct xb_solve_request *request, struct xb_results *ret, struct xb_error *err)
{
	XB_CLEANUP(solver_clear) struct solver s = {
		.request = request,
		.shared = {
			.plan = request->plan,
			.store = request->store,
			.max_layer = request->max_layer,
			.sources = request->sources,
			.context = request->context,
			.strategy = request->strategy,
			.hosts = request->hosts,
			.limits = request->limits,
			.devices = request->devices,
			.secrets = request->secrets,
			.agents = request->agents,
			.epoch = request->epoch,
			.no_cache = request->no_cache,
			.no_network = request->no_network,
			.cancel_fd = -1,
		},
		.tasks = xb_calloc(request->plan->step_count, sizeof(struct task)),
	};
	int r = prepare(&s, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < request->plan->step_count; i++) {
		if (s.tasks[i].waits_for == 0)
			submit(&s, i);
	}
	loop(&s);
	if (s.failed != 0) {
		if (err != NULL)
			xb_error_move(err, &s.error);
		return s.failed;
	}
	take_results(&s, ret);
	return 0;
}

void xb_results_clear(struct xb_results *results)
{
	for (size_t i = 0; i < results->len; i++)
		xb_result_clear(&results->items[i]);
	free(results->items);
	*results = (struct xb_results){ 0 };
}
