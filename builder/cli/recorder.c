/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/recorder.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/url.h"
#include "builder/cache/history.h"

/* What a log may hold before its first part is dropped. */
#define LOG_ROOM (2 * XB_RECORDER_LOG_BYTES)

/* What became of a step. */
enum outcome { WAITING, RUNNING, CACHED, DONE, FAILED, CANCELLED };

static const char *const outcomes[] = {
	[WAITING] = "not reached", [RUNNING] = "running", [CACHED] = "cached",
	[DONE] = "done",	   [FAILED] = "failed",	  [CANCELLED] = "cancelled",
};

struct taken {
	enum outcome outcome;
	uint64_t started;
	uint64_t ended;
	uint64_t layer; /* bytes of its blob */
	struct xb_str log;
};

struct xb_recorder {
	struct xb_observer next;
	const struct xb_plan *plan; /* NULL: there was none */
	struct taken *steps;
	uint64_t began;
	int64_t date;
	struct xb_digest digest;
};

struct xb_recorder *xb_recorder_new(void)
{
	struct xb_recorder *r = xb_calloc(1, sizeof(*r));

	r->began = xb_clock_monotonic();
	r->date = xb_clock_now();
	return r;
}

void xb_recorder_free(struct xb_recorder *recorder)
{
	if (recorder == NULL)
		return;
	for (size_t i = 0; recorder->plan != NULL && i < recorder->plan->step_count; i++)
		xb_str_clear(&recorder->steps[i].log);
	free(recorder->steps);
	free(recorder);
}

/* ---- hearing -------------------------------------------------------------------------------- */

/* Keep the last lines that fit. */
static void trim(struct xb_str *log)
{
	xb_autofree char *all = NULL;
	const char *cut;

	if (log->len <= XB_RECORDER_LOG_BYTES)
		return;
	all = xb_view_dup(xb_str_view(log));
	cut = strchr(all + log->len - XB_RECORDER_LOG_BYTES, '\n');
	xb_str_reset(log);
	xb_str_puts(log, cut != NULL ? cut + 1 : "");
}

/* A line is cut where a program never ends one. */
static void keep_line(struct xb_str *log, const char *text)
{
	struct xb_view line = xb_view(text);

	if (line.len > XB_RECORDER_LOG_BYTES / 2)
		line.len = XB_RECORDER_LOG_BYTES / 2;
	if (log->len + line.len + 1 > LOG_ROOM)
		trim(log);
	xb_str_append_view(log, line);
	xb_str_putc(log, '\n');
}

static void note(struct xb_recorder *r, const struct xb_event *event)
{
	struct taken *step = &r->steps[event->step];

	switch (event->kind) {
	case XB_EVENT_STARTED:
		step->outcome = RUNNING;
		step->started = event->time;
		break;
	case XB_EVENT_CACHED:
		step->outcome = CACHED;
		break;
	case XB_EVENT_OUTPUT:
		keep_line(&step->log, event->text);
		break;
	case XB_EVENT_DONE:
		if (step->outcome != CACHED)
			step->outcome = DONE;
		step->ended = event->time;
		break;
	case XB_EVENT_FAILED:
		step->outcome = FAILED;
		step->ended = event->time;
		break;
	case XB_EVENT_CANCELLED:
		step->outcome = CANCELLED;
		step->ended = event->time;
		break;
	default:
		break;
	}
}

static void hear(void *context, const struct xb_event *event)
{
	struct xb_recorder *r = context;

	note(r, event);
	if (r->next.event != NULL)
		r->next.event(r->next.context, event);
}

static void hear_failure(void *context, size_t step, const struct xb_error *error)
{
	struct xb_recorder *r = context;

	r->next.failed(r->next.context, step, error);
}

static void hear_tick(void *context)
{
	struct xb_recorder *r = context;

	r->next.tick(r->next.context);
}

struct xb_observer xb_recorder_watch(struct xb_recorder *recorder, const struct xb_plan *plan,
				     const struct xb_observer *next)
{
	recorder->plan = plan;
	recorder->next = *next;
	recorder->steps = xb_calloc(plan->step_count + 1, sizeof(*recorder->steps));
	for (size_t i = 0; i < plan->step_count; i++)
		recorder->steps[i].log = XB_STR_INIT(LOG_ROOM);
	return (struct xb_observer){
		.context = recorder,
		.event = hear,
		.failed = next->failed != NULL ? hear_failure : NULL,
		.tick = next->tick != NULL ? hear_tick : NULL,
		.tick_ms = next->tick_ms,
	};
}

void xb_recorder_results(struct xb_recorder *recorder, const struct xb_results *results)
{
	for (size_t i = 0; recorder->plan != NULL && i < results->len; i++) {
		const struct xb_result_layers *layers = &results->items[i].layers;

		if (recorder->plan->steps[i].kind != XB_STEP_BASE && layers->len > 0)
			recorder->steps[i].layer = layers->items[layers->len - 1].blob_size;
	}
}

void xb_recorder_digest(struct xb_recorder *recorder, const struct xb_digest *digest)
{
	recorder->digest = *digest;
}

/* ---- writing -------------------------------------------------------------------------------- */

static void set_masked(json_t *object, const char *key, const char *text)
{
	xb_auto_str struct xb_str masked = XB_STR_INIT(XB_STR_OWN);

	if (text == NULL)
		return;
	xb_url_append_masked(&masked, xb_view(text));
	xb_json_set_string(object, key, xb_str_text(&masked));
}

/* Time of a step that was carried out, else 0. */
static uint64_t time_of(const struct taken *step)
{
	return step->started != 0 && step->ended > step->started ? step->ended - step->started : 0;
}

static json_t *step_json(const struct xb_recorder *r, size_t index)
{
	const struct xb_step *step = &r->plan->steps[index];
	const struct taken *taken = &r->steps[index];
	json_t *object = json_object();

	set_masked(object, "title", step->title);
	xb_json_set_string(object, "platform", xb_platform_name(&step->platform).text);
	xb_json_set_string(object, "strategy", xb_plan_strategy_name(r->plan, step));
	xb_json_set_string(object, "status", outcomes[taken->outcome]);
	xb_json_set_u64(object, "nanoseconds", time_of(taken));
	if (taken->layer > 0)
		xb_json_set_u64(object, "layerBytes", taken->layer);
	return object;
}

static json_t *strings_json(const struct xb_strv *strings)
{
	json_t *array = json_array();

	for (size_t i = 0; i < strings->len; i++)
		(void)json_array_append_new(array, json_string(strings->items[i]));
	return array;
}

static void add_request(json_t *object, const struct xb_build_request *request)
{
	json_t *platforms = json_array();

	set_masked(object, "context",
		   request->operands.len > 0 ? request->operands.items[0] : NULL);
	set_masked(object, "dockerfile", request->options.file);
	xb_json_set_string(object, "target", request->options.target);
	for (size_t i = 0; i < request->platforms.len; i++)
		(void)json_array_append_new(
			platforms,
			json_string(xb_platform_name(&request->platforms.items[i]).text));
	xb_json_set_new(object, "platforms", platforms);
	xb_json_set_new(object, "tags", strings_json(&request->options.names));
}

static void add_steps(json_t *object, const struct xb_recorder *r)
{
	json_t *steps = json_array();
	uint64_t ran = 0;
	uint64_t cached = 0;

	for (size_t i = 0; r->plan != NULL && i < r->plan->step_count; i++) {
		(void)json_array_append_new(steps, step_json(r, i));
		ran += r->steps[i].started != 0 && r->steps[i].outcome != CACHED;
		cached += r->steps[i].outcome == CACHED && r->plan->steps[i].kind != XB_STEP_BASE;
	}
	xb_json_set_u64(object, "ran", ran);
	xb_json_set_u64(object, "cached", cached);
	xb_json_set_new(object, "steps", steps);
}

static json_t *build_json(const struct xb_recorder *r, const struct xb_build_request *request,
			  int status, const struct xb_error *failure)
{
	xb_auto_str struct xb_str date = XB_STR_INIT(64);
	json_t *object = json_object();

	(void)xb_clock_format(r->date, &date);
	xb_json_set_string(object, "started", xb_str_text(&date));
	xb_json_set_u64(object, "nanoseconds", xb_clock_monotonic() - r->began);
	xb_json_set_string(object, "status",
			   status >= 0				    ? "done"
			   : failure->fault == XB_FAULT_INTERRUPTED ? "interrupted"
								    : "failed");
	if (status < 0)
		set_masked(object, "error", failure->message);
	xb_json_set_string(object, "digest", xb_digest_empty(&r->digest) ? NULL : r->digest.text);
	add_request(object, request);
	add_steps(object, r);
	return object;
}

static int put(struct xb_recorder *r, struct xb_store *store, const char *what,
	       struct xb_error *err)
{
	size_t count = r->plan != NULL ? r->plan->step_count : 0;
	xb_autofree struct xb_history_log *logs = xb_calloc(count + 1, sizeof(*logs));
	xb_autofree struct xb_history_took *took = xb_calloc(count + 1, sizeof(*took));
	char id[XB_HISTORY_ID_SIZE];
	struct xb_history_build build = { .id = id, .what = what, .logs = logs, .took = took };

	xb_history_new_id(id);
	for (size_t i = 0; i < count; i++) {
		struct taken *step = &r->steps[i];

		trim(&step->log);
		if (step->log.len > 0)
			logs[build.log_count++] =
				(struct xb_history_log){ .step = i,
							 .text = xb_str_text(&step->log) };
		if (step->outcome == DONE && time_of(step) > 0)
			took[build.took_count++] =
				(struct xb_history_took){ .step = &r->plan->steps[i].identity,
							  .ns = time_of(step) };
	}
	return xb_history_add(store, &build, err);
}

int xb_recorder_finish(struct xb_recorder *recorder, const struct xb_build_request *request, int r,
		       const struct xb_error *failure, struct xb_error *err)
{
	xb_auto_json json_t *object = NULL;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_HISTORY_MAX_WHAT);
	int w;

	if (request->store == NULL)
		return 0;
	object = build_json(recorder, request, r, failure);
	w = xb_json_write(object, &text, err);
	if (w >= 0)
		w = put(recorder, request->store, xb_str_text(&text), err);
	return w < 0 ? xb_error_wrap(err, w, "writing the build to the history") : 0;
}
