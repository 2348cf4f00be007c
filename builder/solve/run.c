/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "base/size.h"
#include "builder/sandbox/prepare.h"
#include "builder/sandbox/sandbox.h"
#include "builder/solve/mask.h"
#include "builder/solve/mounts.h"
#include "builder/solve/work.h"

/* The summary of a failure shows this many lines of output. */
#define TAIL_LINES 20
/* A line longer than this reaches the user in pieces; output without line ends must not pile up. */
#define LINE_MAX_BYTES ((size_t)16 << 10)

/* One of a command's two streams. */
struct stream {
	int fd; /* reading end, -1 once it has ended */
	int number;
	struct xb_str line;
};

/* A running command. */
struct run {
	const struct xb_work *work;
	struct stream streams[2];
	struct xb_strv tail;
	struct xb_mask mask; /* what must not be shown */
	struct xb_mounts mounts;
	struct xb_cgroup *cgroup; /* NULL: the builder's */
};

static void run_clear(struct run *run)
{
	for (size_t i = 0; i < XB_COUNT(run->streams); i++) {
		xb_cleanup_fd(&run->streams[i].fd);
		xb_str_clear(&run->streams[i].line);
	}
	xb_strv_clear(&run->tail);
	xb_mask_clear(&run->mask);
	xb_mounts_close(&run->mounts);
	xb_cgroup_free(run->cgroup);
}

/* Show what there is of a line, which goes on with `more`. */
static void end_line(struct run *run, struct stream *stream, bool more)
{
	xb_auto_str struct xb_str shown = XB_STR_INIT(XB_STR_OWN);
	struct xb_view raw = xb_str_view(&stream->line);
	size_t taken = xb_mask_piece(&run->mask, raw, more, &shown);
	struct xb_view line = xb_str_view(&shown);

	if (xb_view_ends(line, XB_VIEW("\r")))
		line.len--;
	xb_events_post(run->work->shared->events, XB_EVENT_OUTPUT, run->work->index, stream->number,
		       line);
	if (run->tail.len == TAIL_LINES)
		xb_strv_remove(&run->tail, 0);
	xb_strv_push_view(&run->tail, line);
	if (taken < raw.len)
		memmove(stream->line.data, stream->line.data + taken, raw.len - taken);
	xb_str_truncate(&stream->line, raw.len - taken);
}

static void take_bytes(struct run *run, struct stream *stream, const char *bytes, size_t len)
{
	size_t most = LINE_MAX_BYTES + run->mask.longest;

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n' || stream->line.len >= most)
			end_line(run, stream, bytes[i] != '\n');
		if (bytes[i] != '\n')
			(void)xb_str_putc(&stream->line, bytes[i]);
	}
}

/* Take what a stream has; at its end, close it. */
static void drain(struct run *run, struct stream *stream)
{
	char bytes[8192];
	ssize_t n = read(stream->fd, bytes, sizeof(bytes));

	if (n > 0) {
		take_bytes(run, stream, bytes, (size_t)n);
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		if (stream->line.len > 0)
			end_line(run, stream, false);
		xb_cleanup_fd(&stream->fd);
	}
}

/* Take output until both streams have ended, which they do with the step's last process. */
static void follow(struct run *run, struct xb_sandbox *sandbox)
{
	bool killed = false;

	while (run->streams[0].fd >= 0 || run->streams[1].fd >= 0) {
		struct pollfd fds[] = {
			{ .fd = run->streams[0].fd, .events = POLLIN },
			{ .fd = run->streams[1].fd, .events = POLLIN },
			{ .fd = killed ? -1 : run->work->shared->cancel_fd, .events = POLLIN },
		};

		if (poll(fds, XB_COUNT(fds), -1) < 0)
			continue;
		if (fds[2].revents != 0) {
			xb_sandbox_kill(sandbox);
			killed = true;
		}
		for (size_t i = 0; i < XB_COUNT(run->streams); i++) {
			if (fds[i].revents != 0)
				drain(run, &run->streams[i]);
		}
	}
}

/* ---- failure ------------------------------------------------------------------------------ */

static void describe_signal(const struct xb_sandbox_result *result, struct xb_str *out)
{
	if (result->signal == 0)
		(void)xb_str_printf(out, "exit status %d", result->exit_code);
	else
		(void)xb_str_printf(out, "killed by signal %d (%s)%s", result->signal,
				    strsignal(result->signal),
				    result->oom ? ", the machine is out of memory" : "");
}

/* A limit of the control group may have hit the program itself or what it has started. */
static void describe_end(const struct run *run, const struct xb_sandbox_result *result,
			 struct xb_str *out)
{
	const struct xb_sandbox_limits *limits = run->work->shared->limits;
	struct xb_cgroup_events events = { 0 };

	if (run->cgroup != NULL)
		events = xb_cgroup_events(run->cgroup);
	if (events.oom_kills == 0 || result->signal != SIGKILL)
		describe_signal(result, out);
	if (events.oom_kills > 0) {
		(void)xb_str_puts(out, out->len > 0 ? "; a process of it was " : "");
		(void)xb_str_puts(out, "killed: out of memory (limit ");
		xb_size_print(limits->resources.memory, out);
		(void)xb_str_puts(out, ")");
	}
	if (events.refused > 0)
		(void)xb_str_printf(out, "; it came to its limit of %" PRIu64 " processes",
				    limits->resources.pids);
}

/* A step in which a program of the machine was refused has failed, also where its script went on
 * without that program: what it made is not what it was meant to make. */
static void describe_result(const struct run *run, const struct xb_sandbox_result *result,
			    struct xb_str *out)
{
	if (result->refused == 0) {
		describe_end(run, result, out);
		return;
	}
	(void)xb_str_puts(out, result->refusal);
	if (result->refused > 1)
		(void)xb_str_printf(out, " (and %u more)", result->refused - 1);
	(void)xb_str_puts(out, "; ");
	if (result->exit_code == 0)
		(void)xb_str_puts(out, "the command went on without it");
	else
		describe_end(run, result, out);
}

/* Put the command and its last lines of output below the source line that the error shows. */
static void add_output(const struct run *run, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	const struct xb_step_run *command = &run->work->step->run;

	if (err == NULL)
		return;
	(void)xb_str_puts(&text, err->excerpt != NULL ? err->excerpt : "");
	if (text.len > 0 && !xb_view_ends(xb_str_view(&text), XB_VIEW("\n")))
		(void)xb_str_putc(&text, '\n');
	(void)xb_str_puts(&text, "command:");
	for (const char *const *arg = command->argv; *arg != NULL; arg++) {
		(void)xb_str_putc(&text, ' ');
		(void)xb_str_append_quoted(&text, xb_view(*arg));
	}
	if (run->tail.len > 0)
		(void)xb_str_printf(&text, "\noutput, last %zu lines:", run->tail.len);
	for (size_t i = 0; i < run->tail.len; i++) {
		(void)xb_str_puts(&text, "\n  ");
		(void)xb_str_append_quoted(&text, xb_view(run->tail.items[i]));
	}
	(void)xb_error_excerpt(err, "%s", xb_str_text(&text));
}

static int step_failed(const struct run *run, const char *how, struct xb_error *err)
{
	const struct xb_step_shared *shared = run->work->shared;
	const struct xb_step *step = run->work->step;
	xb_autofree char *reason =
		xb_sandbox_reason(&step->platform, &shared->plan->build_platform, shared->strategy);
	int r = xb_plan_step_error(step, err, "%s (stage %s, %s, %s: %s)", how, step->stage,
				   xb_platform_name(&step->platform).text,
				   xb_plan_strategy_name(shared->plan, step), reason);

	add_output(run, err);
	return r;
}

/* ---- start -------------------------------------------------------------------------------- */

/* A here-document that is a program of its own. */
static void add_script(struct xb_sandbox_spec *spec, const struct xb_step_file *script)
{
	xb_autofree char *path = xb_format("%s%s", XB_STEP_SCRIPTS, script->name);
	struct xb_sandbox_mount *mount = xb_sandbox_spec_mount(spec, XB_SANDBOX_FILE, path);

	mount->mode = 0755;
	mount->read_only = true;
	(void)xb_str_puts(&mount->content, script->content);
}

static int fill_spec(const struct xb_work *work, struct xb_sandbox_spec *spec, struct xb_error *err)
{
	const struct xb_step_run *run = &work->step->run;
	struct xb_sandbox_request request = {
		.platform = &work->step->platform,
		.host = &work->shared->plan->build_platform,
		.strategy = work->shared->strategy,
		.hosts = work->shared->hosts,
		.no_network = work->shared->no_network || run->no_network,
		.insecure = run->insecure,
	};

	xb_site_spec(work->site, spec);
	for (const char *const *p = run->argv; *p != NULL; p++)
		xb_strv_push(&spec->argv, *p);
	for (const char *const *p = run->env; *p != NULL; p++)
		xb_strv_push(&spec->env, *p);
	for (const char *const *p = run->proxy; *p != NULL; p++)
		xb_strv_push(&spec->env, *p);
	free(spec->cwd);
	spec->cwd = xb_strdup(run->cwd);
	free(spec->user);
	spec->user = xb_strdup(run->user);
	if (run->hostname != NULL) {
		free(spec->hostname);
		spec->hostname = xb_strdup(run->hostname);
	}
	if (run->script != NULL)
		add_script(spec, run->script);
	if (work->shared->limits != NULL)
		xb_sandbox_limits_apply(work->shared->limits, spec);
	return xb_sandbox_prepare(spec, &request, err);
}

/* --device. Last, so that its nodes lie above what else is mounted. */
static int add_devices(const struct xb_work *work, struct xb_sandbox_spec *spec,
		       struct xb_error *err)
{
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	int r = 0;

	for (const char *const *name = work->step->run.devices; r == 0 && *name != NULL; name++)
		r = xb_cdi_apply(work->shared->devices, *name, spec, &warnings, err);
	for (size_t i = 0; i < warnings.len; i++)
		xb_events_post(work->shared->events, XB_EVENT_WARNING, work->index, 0,
			       xb_view(warnings.items[i]));
	return r;
}

/* Make the control group that the step's program enters. */
static int join_cgroup(struct run *run, struct xb_sandbox_spec *spec, struct xb_error *err)
{
	const struct xb_sandbox_limits *limits = run->work->shared->limits;
	int r;

	if (limits == NULL || limits->cgroups == NULL)
		return 0;
	r = xb_cgroup_new(limits->cgroups, &run->cgroup, err);
	if (r == 0)
		xb_cgroup_paths(run->cgroup, &spec->cgroups);
	return r;
}

/* Make a stream's pipe: the reading end stays here, the writing end is `*ret_write`. */
static int make_stream(struct stream *stream, int number, int *ret_write, struct xb_error *err)
{
	int ends[2];

	*stream = (struct stream){ .fd = -1,
				   .number = number,
				   .line = XB_STR_INIT(2 * LINE_MAX_BYTES + XB_MAX_SECRET) };
	if (pipe2(ends, O_CLOEXEC) < 0)
		return xb_error_errno(err, -errno, "making a pipe for output");
	stream->fd = ends[0];
	*ret_write = ends[1];
	return 0;
}

/* Whether `step` is the next command after the one of `index` on the way up from it. */
static bool comes_next(const struct xb_plan *plan, const struct xb_step *step, size_t index)
{
	size_t at = step->parent;

	while (at != XB_STEP_NONE && at != index && plan->steps[at].kind != XB_STEP_RUN)
		at = plan->steps[at].parent;
	return at == index && step->kind == XB_STEP_RUN;
}

/* The command that stands on this one will run next; what it needs of that can be made now. */
static void prepare_next(const struct xb_work *work, const struct xb_sandbox_spec *spec)
{
	const struct xb_plan *plan = work->shared->plan;

	/* steps come after those that they stand on */
	for (size_t i = work->index + 1; i < plan->step_count; i++) {
		if (comes_next(plan, &plan->steps[i], work->index)) {
			xb_standby_prepare(work->shared->standby, spec);
			return;
		}
	}
}

static int start(struct run *run, struct xb_sandbox **ret, struct xb_error *err)
{
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;
	xb_auto_fd int out = -1;
	xb_auto_fd int errors = -1;
	int r;

	xb_sandbox_spec_init(&spec);
	r = fill_spec(run->work, &spec, err);
	if (r == 0)
		r = xb_mounts_open(run->work, &run->mounts, &spec, err);
	if (r == 0)
		xb_work_read_all(run->work);
	if (r == 0)
		r = add_devices(run->work, &spec, err);
	if (r == 0)
		r = join_cgroup(run, &spec, err);
	if (r == 0)
		r = make_stream(&run->streams[0], 1, &out, err);
	if (r == 0)
		r = make_stream(&run->streams[1], 2, &errors, err);
	if (r == 0)
		r = xb_standby_start(run->work->shared->standby, &spec,
				     &(struct xb_sandbox_io){ .stdin_fd = -1,
							      .stdout_fd = out,
							      .stderr_fd = errors },
				     ret, err);
	if (r == 0)
		prepare_next(run->work, &spec);
	return r;
}

int xb_work_run(const struct xb_work *work, struct xb_error *err)
{
	XB_CLEANUP(run_clear)
	struct run run = {
		.work = work,
		.streams = { { .fd = -1 }, { .fd = -1 } },
	};
	xb_auto_sandbox struct xb_sandbox *sandbox = NULL;
	xb_auto_str struct xb_str how = XB_STR_INIT(XB_STR_OWN);
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	struct xb_sandbox_result result = { 0 };
	int r;

	xb_mask_init(&run.mask, work->shared->secrets);
	r = start(&run, &sandbox, err);

	if (r < 0)
		return r;
	follow(&run, sandbox);
	r = xb_sandbox_wait(sandbox, &result, &cause);
	if (r < 0 && cause.fault != XB_FAULT_STEP) {
		xb_error_move(err, &cause);
		return r;
	}
	work->site->uid = result.uid;
	work->site->gid = result.gid;
	if (r == 0 && result.exit_code == 0 && result.refused == 0)
		return 0;
	if (r < 0)
		(void)xb_str_puts(&how, cause.message);
	else
		describe_result(&run, &result, &how);
	r = step_failed(&run, xb_str_text(&how), err);
	if (result.refused > 0)
		(void)xb_error_hint(err,
				    "take the program from an image of this platform, run it in a "
				    "stage FROM --platform=$BUILDPLATFORM, or let it run with "
				    "--guard=off");
	return r;
}
