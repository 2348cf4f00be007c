/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/solve.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/array.h"
#include "base/background.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/pool.h"
#include "builder/cache/history.h"
#include "builder/cache/supply.h"
#include "builder/solve/ahead.h"
#include "builder/solve/purpose.h"
#include "builder/solve/step.h"

/* Even one processor runs two steps: one of them mostly waits for the disk or the network. */
#define LEAST_JOBS 2
/* A build that has only waited for packing so long says so, ms. */
#define PACKING_SHOWN_MS 300
#define NS_PER_MS	 1000000ULL

/* A step on its way. `job` is first, so that a job from the pool is its task. */
struct task {
	struct xb_job job;
	struct solver *solver;
	size_t index;
	size_t waits_for; /* trees that it reads and that are not there yet */
	bool submitted;	  /* to a worker: its result was not known */
	struct xb_result result;
	struct xb_record record; /* of its top layer; no key: none */
	struct xb_error error;
	int status; /* what xb_step_carry_out() returned */
};

/* A layer to be packed, in its plain form for the step's record or in another. `job` is first. */
struct packing {
	struct xb_job job;
	struct solver *solver;
	const struct xb_form *form;   /* NULL: the plain one, of `record` */
	struct xb_record record;      /* a copy: workers read the step's own result meanwhile */
	struct xb_result_layer layer; /* likewise, of another form */
	size_t index;		      /* of the step */
	bool under_way;
	bool shown;
	struct xb_error error;
	int status;
};
struct packings XB_ARRAY(struct packing *);

struct indices XB_ARRAY(size_t);

struct solver {
	const struct xb_solve_request *request;
	struct xb_order order;
	struct xb_step_shared shared;
	struct xb_pool *pool;
	struct xb_pool *packers; /* compressing must not keep steps waiting for a worker */
	struct task *tasks;
	struct packings packings;
	unsigned char *uses;
	struct xb_shapes *shapes;
	struct xb_ahead *ahead;
	bool *in_image;		 /* by step: its layer is one of a target's */
	bool *missing;		 /* by step: it has failed, or will not be begun */
	struct indices ready;	 /* steps whose inputs are there, not begun */
	struct indices failures; /* steps in the order in which they failed */
	size_t running;		 /* steps that were handed to workers */
	size_t packing;		 /* layers that were handed to packers */
	uint64_t only_packing;	 /* since when nothing else is under way; 0: it is */
	int failed;		 /* the code of what has stopped the build, 0 while nothing has */
	size_t failed_step;	 /* whose error it is, XB_STEP_NONE: `error` has it */
	struct xb_error error;
};

static void solver_clear(struct solver *s)
{
	xb_pool_free(s->pool);
	xb_pool_free(s->packers);
	xb_ahead_free(s->ahead);
	xb_supply_stop_at(s->request->store, NULL);
	for (size_t i = 0; i < s->request->plan->step_count; i++) {
		xb_result_clear(&s->tasks[i].result);
		xb_error_clear(&s->tasks[i].error);
	}
	for (size_t i = 0; i < s->packings.len; i++) {
		xb_error_clear(&s->packings.items[i]->error);
		free(s->packings.items[i]);
	}
	free(s->tasks);
	xb_array_clear(&s->packings);
	free(s->uses);
	xb_shapes_free(s->shapes);
	free(s->in_image);
	free(s->missing);
	xb_array_clear(&s->failures);
	xb_array_clear(&s->ready);
	xb_order_clear(&s->order);
	xb_crew_free(s->shared.crew);
	xb_standby_free(s->shared.standby);
	xb_events_free(s->shared.events);
	xb_cleanup_fd(&s->shared.cancel_fd);
	xb_error_clear(&s->error);
}

static const struct xb_result *result_of(const struct solver *s, size_t index)
{
	return index == XB_STEP_NONE ? NULL : &s->tasks[index].result;
}

/* What the step stands on and reads; the list is the caller's. */
static const struct xb_result **inputs_of(const struct solver *s, size_t index)
{
	const struct xb_step *step = &s->request->plan->steps[index];
	size_t count = xb_step_input_count(step);
	const struct xb_result **inputs = xb_calloc(count, sizeof(*inputs));

	for (size_t i = 0; i < count; i++)
		inputs[i] = result_of(s, xb_step_input(step, i));
	return inputs;
}

/* In a worker. Inputs are finished and do not change any more. */
static void run_task(struct xb_job *job)
{
	struct task *task = (struct task *)job;
	struct solver *s = task->solver;
	xb_autofree const struct xb_result **inputs = inputs_of(s, task->index);
	enum xb_event_kind outcome = XB_EVENT_DONE;

	task->status = xb_step_carry_out(&s->shared, task->index, inputs, &task->result,
					 &task->record, &task->error);
	if (task->status < 0)
		outcome = atomic_load(&s->shared.cancelled) ? XB_EVENT_CANCELLED : XB_EVENT_FAILED;
	xb_events_post(s->shared.events, outcome, task->index, 0, xb_view(NULL));
}

static void submit(struct solver *s, size_t index)
{
	s->running++;
	s->tasks[index].submitted = true;
	s->tasks[index].job.urgency = s->order.path[index];
	xb_pool_submit(s->pool, &s->tasks[index].job);
}

/* Begin a step whose inputs are there: if its result is too, it is done. */
static bool recall(struct solver *s, size_t index)
{
	struct task *task = &s->tasks[index];
	xb_autofree const struct xb_result **inputs = inputs_of(s, index);

	if (!xb_step_recall(&s->shared, index, inputs, &task->result, &task->record))
		return false;
	xb_events_post(s->shared.events, XB_EVENT_DONE, index, 0, xb_view(NULL));
	return true;
}

static void cancel(struct solver *s)
{
	uint64_t one = 1;

	atomic_store(&s->shared.cancelled, true);
	(void)!write(s->shared.cancel_fd, &one, sizeof(one));
}

/* Something else than a step went wrong, which ends the build. */
static void fail(struct solver *s, int r, struct xb_error *cause)
{
	if (s->failed != 0)
		return;
	s->failed = r;
	s->failed_step = XB_STEP_NONE;
	xb_error_move(&s->error, cause);
	cancel(s);
}

/* A step that will not be begun, since one that it needs has failed. */
static void give_up(void *context, size_t step)
{
	struct solver *s = context;

	xb_events_post(s->shared.events, XB_EVENT_CANCELLED, step, 0, xb_view(NULL));
}

static void fail_step(struct solver *s, const struct task *task)
{
	/* steps that were stopped did not fail */
	if (s->failed != 0)
		return;
	*xb_array_push(&s->failures) = task->index;
	s->missing[task->index] = true;
	if (!s->request->keep_going && s->order.required[task->index]) {
		s->failed = task->status;
		s->failed_step = task->index;
		cancel(s);
		return;
	}
	xb_order_lose(&s->order, task->index, s->missing, give_up, s);
}

/* A result is there: steps that waited for it alone are ready. */
static void release_dependents(struct solver *s, size_t index)
{
	const struct xb_order *order = &s->order;

	for (size_t k = order->first[index]; k < order->first[index + 1]; k++) {
		size_t step = order->dependents[k];

		if (--s->tasks[step].waits_for == 0 && s->failed == 0)
			*xb_array_push(&s->ready) = step;
	}
}

/* In a packer. */
static void run_packing(struct xb_job *job)
{
	struct packing *packing = (struct packing *)job;

	struct xb_step_shared *shared = &packing->solver->shared;

	xb_background_enter();
	packing->status =
		packing->form == NULL
			? xb_step_pack_later(shared, &packing->record, &packing->error)
			: xb_form_make(shared, packing->form, &packing->layer, &packing->error);
}

static struct packing *add_packing(struct solver *s, size_t index)
{
	struct packing *packing = xb_calloc(1, sizeof(*packing));

	*xb_array_push(&s->packings) = packing;
	*packing = (struct packing){ .job.run = run_packing, .solver = s, .index = index };
	packing->under_way = true;
	packing->job.urgency = s->order.path[index];
	s->packing++;
	return packing;
}

/* A layer of an image that was not packed when its step was done, or by the build that did it. */
static void pack_plain(struct solver *s, const struct task *task)
{
	struct packing *packing;

	if ((s->uses[task->index] & XB_RESULT_LAYER) == 0 || task->record.key[0] == '\0' ||
	    !xb_digest_empty(&task->record.blob))
		return;
	packing = add_packing(s, task->index);
	packing->record = task->record;
	xb_pool_submit(s->packers, &packing->job);
}

static void pack_form(struct solver *s, const struct task *task, const struct xb_form *form)
{
	const struct xb_result_layers *layers = &task->result.layers;
	bool base = s->request->plan->steps[task->index].kind == XB_STEP_BASE;

	/* the layers of a base are this step's, of others the last one is */
	for (size_t i = base || layers->len == 0 ? 0 : layers->len - 1; i < layers->len; i++) {
		struct packing *packing;

		if (!xb_form_wanted(form, &layers->items[i]))
			continue;
		packing = add_packing(s, task->index);
		packing->form = form;
		packing->layer = layers->items[i];
		xb_pool_submit(s->packers, &packing->job);
	}
}

static void pack_if_needed(struct solver *s, const struct task *task)
{
	const struct xb_forms *forms = s->request->forms;

	if (s->failed != 0)
		return;
	pack_plain(s, task);
	for (size_t i = 0; s->in_image[task->index] && forms != NULL && i < forms->len; i++)
		pack_form(s, task, &forms->items[i]);
}

static void collect_packed(struct solver *s)
{
	struct xb_job *job;

	while ((job = xb_pool_collect(s->packers)) != NULL) {
		struct packing *packing = (struct packing *)job;

		s->packing--;
		packing->under_way = false;
		if (packing->shown)
			xb_events_post(s->shared.events,
				       packing->status == 0 ? XB_EVENT_PACKED : XB_EVENT_CANCELLED,
				       packing->index, 0, xb_view(NULL));
		if (packing->status < 0)
			fail(s, packing->status, &packing->error);
	}
}

/* Begin what is ready, and what becomes ready by it. */
static void begin(struct solver *s)
{
	while (s->ready.len > 0) {
		size_t step = s->ready.items[--s->ready.len];

		if (!recall(s, step)) {
			submit(s, step);
			continue;
		}
		release_dependents(s, step);
		pack_if_needed(s, &s->tasks[step]);
	}
}

/* The tree of a base is made while what else is needed for the steps on it is not there yet. */
static void begin_ahead(struct solver *s, size_t index)
{
	const struct xb_order *order = &s->order;
	bool wanted = false;

	if (s->failed != 0 || s->request->plan->steps[index].kind != XB_STEP_BASE ||
	    (s->uses[index] & XB_RESULT_FILES) == 0)
		return;
	for (size_t k = order->first[index]; k < order->first[index + 1]; k++) {
		const struct task *task = &s->tasks[order->dependents[k]];

		wanted |= task->submitted || task->waits_for > 0;
	}
	if (wanted)
		xb_ahead_begin(s->ahead, index, &s->tasks[index].result);
}

/* What nobody waits for any more need not come to its end; it reads results, which move now. */
static void end_ahead(struct solver *s)
{
	atomic_store(&s->shared.cancelled, true);
	xb_ahead_free(XB_STEAL(s->ahead));
}

static void collect(struct solver *s)
{
	struct xb_job *job;

	while ((job = xb_pool_collect(s->pool)) != NULL) {
		struct task *task = (struct task *)job;

		s->running--;
		if (task->status < 0)
			fail_step(s, task);
		else
			release_dependents(s, task->index);
		if (task->status == 0)
			pack_if_needed(s, task);
		begin(s);
		if (task->status == 0)
			begin_ahead(s, task->index);
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

/*
 * Steps are done and their layers are not: that is told once it has lasted a while. Returns in how
 * many ms it has to be asked again, -1: it has not.
 */
static int tell_of_packing(struct solver *s)
{
	uint64_t now = xb_clock_monotonic();
	uint64_t since;

	if (s->running > 0 || s->packing == 0) {
		s->only_packing = 0;
		return -1;
	}
	if (s->only_packing == 0)
		s->only_packing = now;
	since = (now - s->only_packing) / NS_PER_MS;
	if (since < PACKING_SHOWN_MS)
		return (int)(PACKING_SHOWN_MS - since);
	for (size_t i = 0; i < s->packings.len; i++) {
		struct packing *packing = s->packings.items[i];

		if (packing->under_way && !packing->shown)
			xb_events_post(s->shared.events, XB_EVENT_PACKING, packing->index, 0,
				       xb_view(NULL));
		packing->shown = packing->shown || packing->under_way;
	}
	return -1;
}

/* Of two times to wait the one that ends first; -1 is for ever. */
static int sooner(int a, int b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

static void loop(struct solver *s)
{
	const struct xb_observer *observer = &s->request->observer;
	int timeout = observer->tick != NULL && observer->tick_ms > 0 ? observer->tick_ms : -1;

	while (s->running > 0 || s->packing > 0) {
		struct pollfd fds[] = {
			{ .fd = xb_pool_fd(s->pool), .events = POLLIN },
			{ .fd = xb_pool_fd(s->packers), .events = POLLIN },
			{ .fd = xb_events_fd(s->shared.events), .events = POLLIN },
			{ .fd = s->failed == 0 ? s->request->stop_fd : -1, .events = POLLIN },
		};

		(void)poll(fds, XB_COUNT(fds), sooner(timeout, tell_of_packing(s)));
		if (fds[3].revents != 0)
			stop_asked(s);
		collect(s);
		collect_packed(s);
		tell(s);
		if (timeout > 0)
			observer->tick(observer->context);
	}
	tell(s);
}

static unsigned default_jobs(void)
{
	return xb_pool_processors() > LEAST_JOBS ? xb_pool_processors() : LEAST_JOBS;
}

static void set_purpose(struct solver *s)
{
	const struct xb_solve_request *request = s->request;
	struct xb_purpose purpose = { .in_image = s->in_image, .uses = s->uses };
	const struct xb_purpose_request wanted = {
		.forms = request->forms,
		.files = request->files,
		.pack_images = request->pack_images,
		.pack_all = request->pack_all,
	};

	xb_purpose_find(request->plan, &wanted, &purpose);
	s->shared.layers_only = purpose.layers_only;
}

/* What is known of earlier builds helps to choose an order; without it there is one as well. */
static void set_order(struct solver *s)
{
	const struct xb_plan *plan = s->request->plan;
	xb_autofree const struct xb_digest **steps = xb_calloc(plan->step_count, sizeof(*steps));
	xb_autofree uint64_t *took = xb_calloc(plan->step_count, sizeof(*took));

	for (size_t i = 0; i < plan->step_count; i++)
		steps[i] = &plan->steps[i].identity;
	(void)xb_history_durations(s->request->store, steps, plan->step_count, took, NULL);
	xb_order_make(plan, s->request->optional, took, &s->order);
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
		r = xb_pool_new(1, &s->packers, err);
	if (r == 0)
		r = xb_crew_new(xb_pool_processors() - 1, &s->shared.crew, err);
	s->shared.standby = xb_standby_new();
	set_purpose(s);
	set_order(s);
	for (size_t i = 0; i < request->plan->step_count; i++) {
		s->tasks[i].job.run = run_task;
		s->tasks[i].solver = s;
		s->tasks[i].index = i;
		s->tasks[i].waits_for = s->order.waits_for[i];
	}
	return r;
}

/* Write to a layer what became of it after its step was done. */
static void complete(const struct xb_map *packed, struct xb_result_layer *layer)
{
	const struct packing *packing = xb_map_get(packed, xb_view(layer->snapshot.id));

	if (packing == NULL)
		return;
	layer->blob = packing->record.blob;
	layer->blob_size = packing->record.blob_size;
	memcpy(layer->media_type, packing->record.media_type, sizeof(layer->media_type));
}

/* Results were handed on while their layers were still being packed. */
static void complete_results(struct solver *s)
{
	xb_auto_map struct xb_map *packed = xb_map_new();

	for (size_t i = 0; i < s->packings.len; i++) {
		struct packing *packing = s->packings.items[i];

		if (packing->form == NULL)
			(void)xb_map_set(packed, xb_view(packing->record.snapshot.id), packing);
	}
	for (size_t i = 0; xb_map_len(packed) > 0 && i < s->request->plan->step_count; i++) {
		struct xb_result *result = &s->tasks[i].result;

		for (size_t k = 0; k < result->layers.len; k++) {
			if (xb_digest_empty(&result->layers.items[k].blob))
				complete(packed, &result->layers.items[k]);
		}
	}
}

static void take_results(struct solver *s, struct xb_results *ret)
{
	complete_results(s);
	ret->missing = XB_STEAL(s->missing);
	ret->len = s->request->plan->step_count;
	ret->items = xb_calloc(ret->len, sizeof(*ret->items));
	for (size_t i = 0; i < ret->len; i++) {
		ret->items[i] = s->tasks[i].result;
		s->tasks[i].result = (struct xb_result){ 0 };
	}
}

/* Whether the build has made anything: a target is there. */
static bool any_target(const struct solver *s)
{
	const struct xb_plan *plan = s->request->plan;

	for (size_t t = 0; t < plan->target_count; t++) {
		if (plan->targets[t].step == XB_STEP_NONE || !s->missing[plan->targets[t].step])
			return true;
	}
	return false;
}

/* Nothing has stopped the build: whose failure it is that nevertheless makes it fail. */
static size_t decisive(const struct solver *s)
{
	for (size_t i = 0; i < s->failures.len; i++) {
		if (s->order.required[s->failures.items[i]])
			return s->failures.items[i];
	}
	return s->failures.len > 0 && !any_target(s) ? s->failures.items[0] : XB_STEP_NONE;
}

/* All errors reach somebody: the build's own the caller, the others the observer. */
static int conclude(struct solver *s, struct xb_error *err)
{
	const struct xb_observer *observer = &s->request->observer;
	size_t step = s->failed != 0 ? s->failed_step : decisive(s);

	for (size_t i = 0; i < s->failures.len && observer->failed != NULL; i++) {
		size_t at = s->failures.items[i];

		if (at != step)
			observer->failed(observer->context, at, &s->tasks[at].error);
	}
	if (step != XB_STEP_NONE) {
		s->failed = s->tasks[step].status;
		xb_error_clear(&s->error);
		xb_error_move(&s->error, &s->tasks[step].error);
	}
	if (s->failed != 0 && err != NULL)
		xb_error_move(err, &s->error);
	return s->failed;
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
			.imports = request->imports,
			.keep_keys = request->keep_keys,
			.no_network = request->no_network,
			.offline = request->offline,
			.cancel_fd = -1,
		},
		.tasks = xb_calloc(request->plan->step_count, sizeof(struct task)),
		.in_image = xb_calloc(request->plan->step_count + 1, sizeof(bool)),
		.uses = xb_calloc(request->plan->step_count + 1, 1),
		.shapes = xb_shapes_new(),
		.missing = xb_calloc(request->plan->step_count + 1, sizeof(bool)),
		.failed_step = XB_STEP_NONE,
	};
	int r;

	s.shared.uses = s.uses;
	s.shared.shapes = s.shapes;
	s.ahead = xb_ahead_new(&s.shared);
	xb_supply_stop_at(request->store, &s.shared.cancelled);
	r = prepare(&s, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < request->plan->step_count; i++) {
		if (s.tasks[i].waits_for == 0)
			*xb_array_push(&s.ready) = i;
	}
	begin(&s);
	loop(&s);
	end_ahead(&s);
	r = conclude(&s, err);
	if (r == 0)
		take_results(&s, ret);
	return r;
}

bool xb_results_have(const struct xb_results *results, size_t step)
{
	return step == XB_STEP_NONE || results->missing == NULL || !results->missing[step];
}

void xb_results_clear(struct xb_results *results)
{
	for (size_t i = 0; i < results->len; i++)
		xb_result_clear(&results->items[i]);
	free(results->items);
	free(results->missing);
	*results = (struct xb_results){ 0 };
}
