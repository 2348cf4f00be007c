/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Whole builds in a scratch directory: a store "store", a context "c" with busybox in it, and a
 * Dockerfile as text. Include it after cmocka.h; main() calls build_become_root() first.
 */
#ifndef XB_TESTS_UNIT_SOLVE_BUILD_H
#define XB_TESTS_UNIT_SOLVE_BUILD_H

#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/proc.h"
#include "builder/dockerfile/parse.h"
#include "builder/plan/make.h"
#include "builder/solve/solve.h"
#include "platforms/host.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#define BUSYBOX "/bin/busybox"

/** One build, and what was seen of it. */
struct build {
	struct xb_store *store;
	struct xb_context *context;
	struct xb_sources *sources;
	struct xb_dockerfile *file;
	struct xb_plan *plan;
	struct xb_results results;
	struct xb_strv args;
	struct xb_strv hosts;
	struct xb_secrets secrets;
	struct xb_strategy_options strategy;
	int64_t epoch;
	bool no_cache;
	bool no_network;
	struct xb_forms forms; /* none: plain */
	bool layers_only;      /* no tree of the result is wanted */
	bool keep_going;
	const bool *optional;
	int stop_fd;
	/* of the last build */
	struct xb_error err;
	int r;
	size_t ran;
	size_t cached;
	size_t failed;	      /* errors that were not the build's */
	struct xb_str output; /* lines of output, with the stream's number in front */
};

static bool build_possible;

/** Become root of a user namespace, as the program does at its start. */
static inline void build_become_root(void)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	build_possible = xb_proc_become_root(&err) == 0;
	if (!build_possible)
		print_message("no root: %s\n", err.message);
}

static inline void build_forget(struct build *b)
{
	xb_results_clear(&b->results);
	xb_plan_free(XB_STEAL(b->plan));
	xb_dockerfile_free(XB_STEAL(b->file));
	xb_error_clear(&b->err);
	xb_str_reset(&b->output);
	b->ran = 0;
	b->cached = 0;
	b->failed = 0;
}

/** cmocka's setup. */
static inline int build_setup(void **state)
{
	static struct build b;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	b = (struct build){ .epoch = -1, .stop_fd = -1, .output = XB_STR_INIT(XB_STR_OWN) };
	*state = &b;
	if (scratch_setup(state) < 0 || mkdirat(scratch_fd, "c", 0755) < 0 ||
	    xb_store_open(scratch_path("store"), &b.store, &err) < 0)
		return -1;
	*state = &b;
	return scratch_run((const char *[]){ "cp", BUSYBOX, scratch_path("c/busybox"), NULL }) == 0
		       ? xb_context_open(scratch_path("c"), NULL, &b.context, &err)
		       : -1;
}

/** cmocka's teardown. */
static inline int build_teardown(void **state)
{
	struct build *b = *state;

	build_forget(b);
	xb_sources_free(b->sources);
	xb_context_free(b->context);
	xb_store_free(b->store);
	xb_strv_clear(&b->args);
	xb_strv_clear(&b->hosts);
	xb_secrets_clear(&b->secrets);
	xb_array_clear(&b->forms);
	xb_str_clear(&b->output);
	return scratch_teardown(state);
}

#define build_test(name) cmocka_unit_test_setup_teardown(name, build_setup, build_teardown)

static inline void build_event(void *context, const struct xb_event *event)
{
	struct build *b = context;
	bool base = b->plan->steps[event->step].kind == XB_STEP_BASE;

	b->ran += event->kind == XB_EVENT_STARTED;
	b->cached += event->kind == XB_EVENT_CACHED && !base;
	if (event->kind == XB_EVENT_OUTPUT)
		(void)xb_str_printf(&b->output, "%d %s\n", event->stream, event->text);
}

static inline void build_failed(void *context, size_t step, const struct xb_error *error)
{
	struct build *b = context;

	(void)step;
	assert_non_null(error->message);
	(void)xb_str_printf(&b->output, "failed %s\n", error->message);
	b->failed++;
}

static inline int build_plan(struct build *b, const char *text)
{
	static const struct xb_strv none;
	struct xb_platform host;
	struct xb_plan_request request = {
		.platforms = &host,
		.platform_count = 1,
		.build_args = &b->args,
		.labels = &none,
		.strategy = &b->strategy,
	};
	int r = xb_platform_host(&host, &b->err);

	if (r == 0)
		r = xb_dockerfile_parse(xb_view(text), "Dockerfile", &b->file, &b->err);
	if (r == 0 && b->sources == NULL)
		r = xb_sources_new(b->store, &none, &b->sources, &b->err);
	if (r < 0)
		return r;
	request.dockerfile = b->file;
	request.build_platform = host;
	request.sources = xb_sources_for_plan(b->sources);
	return xb_plan_make(&request, &b->plan, &b->err);
}

/** Build `text`; the outcome is in `r` and `err`. */
static inline void try_build(struct build *b, const char *text)
{
	need("userns", build_possible);
	need("busybox", access(BUSYBOX, X_OK) == 0);
	static struct xb_form plain;
	const struct xb_forms plain_alone = { .items = &plain, .len = 1 };

	build_forget(b);
	b->r = build_plan(b, text);
	if (b->r < 0)
		fail_msg("planning: %s", b->err.message);
	struct xb_solve_request request = {
		.plan = b->plan,
		.store = b->store,
		.sources = b->sources,
		.context = b->context,
		.strategy = &b->strategy,
		.hosts = &b->hosts,
		.secrets = &b->secrets,
		.epoch = b->epoch,
		.no_cache = b->no_cache,
		.no_network = b->no_network,
		.jobs = 4,
		.forms = b->forms.len > 0 ? &b->forms : &plain_alone,
		.files = !b->layers_only,
		.keep_going = b->keep_going,
		.optional = b->optional,
		.stop_fd = b->stop_fd,
		.observer = { .context = b, .event = build_event, .failed = build_failed },
	};

	b->r = xb_solve(&request, &b->results, &b->err);
}

/** Build `text`, which has to work. */
static inline void build(struct build *b, const char *text)
{
	try_build(b, text);
	if (b->r < 0)
		fail_msg("%s\n%s", b->err.message, b->err.excerpt != NULL ? b->err.excerpt : "");
}

/** The result of the only target. */
static inline const struct xb_result *build_result(const struct build *b)
{
	return &b->results.items[b->plan->targets[0].step];
}

/** A file of the snapshot that the last step made. */
static inline void build_stat(const struct build *b, const char *path, struct stat *ret)
{
	const struct xb_result *result = build_result(b);
	xb_auto_fd int dir = -1;

	assert_int_equal(xb_snapshot_open(b->store,
					  &result->layers.items[result->layers.len - 1].snapshot,
					  &dir, NULL),
			 0);
	if (fstatat(dir, path, ret, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("%s is not in the layer", path);
}

/** Whether the last step's snapshot has `path`. */
static inline bool build_has(const struct build *b, const char *path)
{
	const struct xb_result *result = build_result(b);
	xb_auto_fd int dir = -1;

	assert_int_equal(xb_snapshot_open(b->store,
					  &result->layers.items[result->layers.len - 1].snapshot,
					  &dir, NULL),
			 0);
	return faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

#endif
