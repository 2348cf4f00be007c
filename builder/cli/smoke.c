/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/smoke.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "builder/cli/container.h"
#include "builder/cli/report.h"
#include "builder/dockerfile/values.h"
#include "builder/sandbox/prepare.h"
#include "builder/sandbox/sandbox.h"
#include "builder/solve/trees.h"

#define DEFAULT_TIMEOUT (INT64_C(60) * 1000000000)
#define NS_PER_MS	1000000
/* Of what a command says, the end is kept, and of that some lines are shown. */
#define MAX_OUTPUT ((size_t)64 << 10)
#define MAX_LINES  20

/* ---- the options ------------------------------------------------------------------------------
 */

static int usage(struct xb_error *err, const char *text, const char *what)
{
	(void)xb_error_set(err, -EINVAL, "--smoke %s: %s", text, what);
	(void)xb_error_hint(err, "--smoke 'CMD', or --smoke '[linux/arm64]CMD' for one platform");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

/* One value: the platforms that it is for (none: all) and the command, both of the value. */
struct smoke {
	struct xb_view platforms;
	const char *command;
};

/* Returns false where a bracket is not closed. */
static bool split(const char *text, struct smoke *ret)
{
	const char *end = text[0] == '[' ? strchr(text, ']') : NULL;

	*ret = (struct smoke){ .command = text };
	if (end != NULL) {
		ret->platforms = (struct xb_view){ text + 1, (size_t)(end - text) - 1 };
		ret->command = end + 1;
	}
	return text[0] != '[' || end != NULL;
}

static bool is_built(const struct xb_build_request *request, const struct xb_platform *platform)
{
	for (size_t i = 0; i < request->platforms.len; i++) {
		if (xb_platform_eq(&request->platforms.items[i], platform))
			return true;
	}
	return false;
}

static int check_one(const struct xb_build_request *request, const char *text, struct xb_error *err)
{
	struct smoke smoke;
	struct xb_view name;
	struct xb_platform platform;

	if (!split(text, &smoke))
		return usage(err, text, "a bracket is not closed");
	if (smoke.command[strspn(smoke.command, " ")] == '\0')
		return usage(err, text, "there is no command");
	if (strcmp(text, "healthcheck") == 0)
		return usage(err, text,
			     "a health check needs its service beside it, which does not run here");
	while (xb_view_split(&smoke.platforms, ',', &name)) {
		int r = xb_platform_parse(name, &request->host, &platform, err);

		if (r < 0)
			return xb_error_fault(err, XB_FAULT_USAGE);
		/* a leg is told of all platforms' tests */
		if (!request->leg.on && !is_built(request, &platform))
			return usage(err, text, "that platform is not built");
	}
	return 0;
}

static int read_timeout(const struct xb_build_request *request, int64_t *ret, struct xb_error *err)
{
	const char *text = request->options.smoke_timeout;

	*ret = DEFAULT_TIMEOUT;
	if (text == NULL)
		return 0;
	if (xb_duration_parse(xb_view(text), ret, NULL) == 0 && *ret > 0)
		return 0;
	(void)xb_error_set(err, -EINVAL, "--smoke-timeout takes a time such as 90s or 5m, not %s",
			   text);
	return xb_error_fault(err, XB_FAULT_USAGE);
}

int xb_smoke_check(const struct xb_build_request *request, struct xb_error *err)
{
	const struct xb_strv *all = &request->options.smokes;
	int64_t timeout;
	int r = read_timeout(request, &timeout, err);

	for (size_t i = 0; r == 0 && i < all->len; i++)
		r = check_one(request, all->items[i], err);
	return r;
}

static bool is_for(const struct xb_build_request *request, const struct smoke *smoke,
		   const struct xb_platform *target)
{
	struct xb_view rest = smoke->platforms;
	struct xb_view name;
	struct xb_platform platform;

	if (rest.len == 0)
		return true;
	while (xb_view_split(&rest, ',', &name)) {
		if (xb_platform_parse(name, &request->host, &platform, NULL) == 0 &&
		    xb_platform_eq(&platform, target))
			return true;
	}
	return false;
}

/* ---- one run ----------------------------------------------------------------------------------
 */

/* A command at work. */
struct trial {
	const struct xb_build_request *request;
	const struct xb_plan_target *target;
	const char *command;
	uint64_t deadline; /* of the monotonic clock */
	struct xb_str output;
	int from; /* it comes from there */
	bool late;
	bool stopped;
};

static void trial_clear(struct trial *t)
{
	xb_str_clear(&t->output);
	xb_cleanup_fd(&t->from);
}

static void set_program(const struct trial *t, struct xb_sandbox_spec *spec)
{
	const struct xb_image_config *config = &t->target->config;

	xb_strv_append(&spec->argv, &config->shell);
	if (config->shell.len == 0) {
		xb_strv_push(&spec->argv, "/bin/sh");
		xb_strv_push(&spec->argv, "-c");
	}
	xb_strv_push(&spec->argv, t->command);
	xb_strv_append(&spec->env, &config->env);
	free(spec->user);
	spec->user = xb_strdup(config->user);
	if (config->working_dir != NULL && config->working_dir[0] != '\0') {
		free(spec->cwd);
		spec->cwd = xb_strdup(config->working_dir);
	}
}

static int prepare(const struct trial *t, const struct xb_results *results,
		   struct xb_snapshot *scratch, struct xb_sandbox_spec *spec, struct xb_error *err)
{
	const struct xb_sandbox_request request = {
		.platform = &t->target->platform,
		.host = &t->request->host,
		.strategy = &t->request->strategy,
		.no_network = true,
	};
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	int r = 0;

	if (t->target->step != XB_STEP_NONE)
		r = xb_trees_paths(t->request->store, &results->items[t->target->step],
				   t->request->max_layer, &lowers, &warnings, err);
	if (r == 0)
		r = xb_container_root(t->request->store, &lowers, scratch, spec, err);
	set_program(t, spec);
	return r == 0 ? xb_sandbox_prepare(spec, &request, err) : r;
}

/* Take what there is of output; false at its end. */
static bool take_output(struct trial *t)
{
	char piece[4096];
	ssize_t n = read(t->from, piece, sizeof(piece));

	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	if (t->output.len + (size_t)n > MAX_OUTPUT) {
		memmove(t->output.data, t->output.data + t->output.len / 2,
			t->output.len - t->output.len / 2);
		xb_str_truncate(&t->output, t->output.len - t->output.len / 2);
	}
	(void)xb_str_append(&t->output, piece, (size_t)n);
	return true;
}

/* Until the program has ended; whatever holds its output beyond that ends with it. */
static void watch(struct trial *t, struct xb_sandbox *sandbox)
{
	bool open = true;
	bool ended = false;

	while (open || !ended) {
		uint64_t now = xb_clock_monotonic();
		int left = now < t->deadline ? (int)((t->deadline - now) / NS_PER_MS) + 1 : 0;
		struct pollfd fds[] = {
			{ .fd = ended ? -1 : xb_sandbox_fd(sandbox), .events = POLLIN },
			{ .fd = open ? t->from : -1, .events = POLLIN },
			{ .fd = t->stopped ? -1 : t->request->stop_fd, .events = POLLIN },
		};

		(void)poll(fds, XB_COUNT(fds), t->late || t->stopped ? -1 : left);
		ended = ended || fds[0].revents != 0;
		if (fds[1].revents != 0)
			open = take_output(t);
		t->stopped = t->stopped || fds[2].revents != 0;
		t->late = t->late || (!ended && xb_clock_monotonic() >= t->deadline);
		if (!ended && (t->late || t->stopped))
			xb_sandbox_kill(sandbox);
	}
}

static int start(struct trial *t, const struct xb_sandbox_spec *spec, struct xb_sandbox **ret,
		 struct xb_error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return xb_error_errno(err, -errno, "making a pipe");
	t->from = ends[0];
	xb_auto_fd int to = ends[1];
	const struct xb_sandbox_io io = { -1, to, to };

	return xb_sandbox_start(spec, &io, ret, err);
}

/* The last lines of what the command said. */
static void show_output(const struct trial *t, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	struct xb_view all = xb_view_trim(xb_str_view(&t->output));
	struct xb_view line;
	size_t lines = 0;
	size_t from = all.len;

	while (from > 0 && lines < MAX_LINES)
		lines += all.data[--from] == '\n';
	if (lines == MAX_LINES)
		from++;
	all = (struct xb_view){ all.data + from, all.len - from };
	(void)xb_str_puts(&text, "output:");
	while (xb_view_split(&all, '\n', &line)) {
		(void)xb_str_puts(&text, "\n  ");
		(void)xb_str_append_quoted(&text, line);
	}
	if (t->output.len > 0)
		(void)xb_error_excerpt(err, "%s", xb_str_text(&text));
}

static int verdict(const struct trial *t, int r, const struct xb_sandbox_result *result,
		   struct xb_error *err)
{
	xb_autofree char *how = NULL;

	if (t->stopped) {
		(void)xb_error_set(err, -ECANCELED, "interrupted");
		return xb_error_fault(err, XB_FAULT_INTERRUPTED);
	}
	if (r == 0 && result->exit_code == 0 && result->refused == 0)
		return 0;
	if (t->late)
		how = xb_strdup("it takes longer than --smoke-timeout");
	else if (r < 0)
		return r;
	else if (result->refused > 0)
		how = xb_strdup(result->refusal);
	else if (result->signal != 0)
		how = xb_format("signal %d", result->signal);
	else
		how = xb_format("exit status %d", result->exit_code);
	(void)xb_error_set(err, -EPROTO, "%s", how);
	show_output(t, err);
	return -EPROTO;
}

static int run_one(struct trial *t, const struct xb_results *results, struct xb_error *err)
{
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;
	xb_auto_sandbox struct xb_sandbox *sandbox = NULL;
	struct xb_sandbox_result result = { 0 };
	struct xb_snapshot scratch = { 0 };
	int r;

	xb_sandbox_spec_init(&spec);
	r = prepare(t, results, &scratch, &spec, err);
	if (r == 0)
		r = start(t, &spec, &sandbox, err);
	if (r == 0) {
		watch(t, sandbox);
		r = xb_sandbox_wait(sandbox, &result, err);
		r = verdict(t, r, &result, err);
	}
	xb_sandbox_free(XB_STEAL(sandbox));
	xb_snapshot_discard(t->request->store, &scratch);
	return r;
}

/* ---- all of them ------------------------------------------------------------------------------
 */

static int run_on_target(const struct xb_build_request *request,
			 const struct xb_plan_target *target, const struct smoke *smoke,
			 const struct xb_results *results, bool tell, struct xb_error *err)
{
	XB_CLEANUP(trial_clear)
	struct trial t = { .request = request,
			   .target = target,
			   .command = smoke->command,
			   .output = XB_STR_INIT(MAX_OUTPUT + 1),
			   .from = -1 };
	const char *platform = xb_platform_name(&target->platform).text;
	uint64_t begun = xb_clock_monotonic();
	int64_t timeout;
	int r = read_timeout(request, &timeout, err);

	t.deadline = begun + (uint64_t)timeout;
	if (r == 0)
		r = run_one(&t, results, err);
	if (r == -ECANCELED && t.stopped)
		return r;
	if (r < 0) {
		(void)xb_error_hint(err, "nothing was published; what the build made is in the "
					 "cache");
		(void)xb_error_fault(err, XB_FAULT_PROOF);
		return xb_error_wrap(err, r, "smoke test of %s: %s", platform, smoke->command);
	}
	if (tell)
		(void)fprintf(stderr, "smoke test of %s passed in %.1f s: %s\n", platform,
			      (double)(xb_clock_monotonic() - begun) / 1e9, smoke->command);
	return 0;
}

int xb_smoke_run(const struct xb_build_request *request, const struct xb_results *results,
		 bool tell, struct xb_error *err)
{
	const struct xb_plan *plan = request->plan;
	const struct xb_strv *all = &request->options.smokes;
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->target_count * all->len; i++) {
		const struct xb_plan_target *target = &plan->targets[i / all->len];
		struct smoke smoke;

		(void)split(all->items[i % all->len], &smoke);
		if (xb_results_have(results, target->step) &&
		    is_for(request, &smoke, &target->platform))
			r = run_on_target(request, target, &smoke, results, tell, err);
	}
	return r;
}
