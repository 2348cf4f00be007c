/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/proc.h"
#include "builder/cli/audit_build.h"
#include "builder/cli/call.h"
#include "builder/cli/check.h"
#include "builder/cli/deliver.h"
#include "builder/cli/leg_result.h"
#include "builder/cli/progress.h"
#include "builder/cli/recorder.h"
#include "builder/cli/report.h"
#include "builder/cli/request.h"
#include "builder/cli/smoke.h"

static int print_help(void)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	xb_options_help(xb_build_option_table, &text);
	(void)printf("xbuild [build] [OPTIONS] PATH|URL|-\n\n"
		     "Build the Dockerfile of PATH for one or several platforms.\n\n%s",
		     xb_str_text(&text));
	return 0;
}

static void forms_clear(struct xb_forms *forms)
{
	xb_array_clear(forms);
}

static int solve(const struct xb_invocation *invocation, struct xb_build_request *request,
		 struct xb_recorder *recorder, struct xb_progress *progress,
		 struct xb_results *results, struct xb_error *err)
{
	XB_CLEANUP(forms_clear) struct xb_forms forms = { 0 };
	struct xb_observer shown = xb_progress_observer(progress);
	struct xb_solve_request what = {
		.plan = request->plan,
		.store = request->store,
		.sources = request->sources,
		.context = request->context,
		.strategy = &request->strategy,
		.hosts = &request->host_lines,
		.secrets = &request->secrets,
		.agents = &request->agents,
		.limits = &request->limits,
		.devices = request->granted.cdi,
		.epoch = request->epoch,
		.max_layer = request->max_layer,
		.no_cache = request->options.no_cache,
		.no_network = request->no_network,
		.offline = request->options.offline,
		.keep_going = request->options.keep_going,
		.optional = request->optional.items,
		.forms = &forms,
		/* smoke tests need the trees too */
		.files = xb_deliver_files(request) || request->options.smokes.len > 0,
		.jobs = request->jobs,
		.stop_fd = invocation->stop_fd,
		.observer = xb_recorder_watch(recorder, request->plan, &shown),
	};
	struct xb_registry_opener opener = xb_registries_opener(&request->registries);
	int r = xb_caches_prepare(&request->caches, &opener, &what, err);

	xb_deliver_forms(request, &forms);
	return r == 0 ? xb_caches_solve(&request->caches, &what, xb_deliver_keeps(request), results,
					err)
		      : r;
}

/* Write the caches that are asked for. What was built is delivered by then. */
static int export(struct xb_build_request *request, const struct xb_results *results,
		  struct xb_error *err)
{
	struct xb_registry_opener opener = xb_registries_opener(&request->registries);
	const struct xb_exports what = {
		.store = request->store,
		.plan = request->plan,
		.results = results,
		.imports = request->caches.imports,
		.specs = &request->caches.to,
		.opener = &opener,
	};

	/* who only wants to see what would be pushed changes no cache either */
	return request->options.dry_run
		       ? 0
		       : xb_caches_write(&request->caches, &what, request->options.quiet, err);
}

/* Files that have not changed since the last build are not read. */
static int solve_remembering(const struct xb_invocation *invocation,
			     struct xb_build_request *request, struct xb_recorder *recorder,
			     struct xb_progress *progress, struct xb_results *results,
			     struct xb_error *err)
{
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r;

	if (request->context != NULL)
		xb_context_remember(request->context, xb_store_contexts(request->store));
	xb_sources_remember(request->sources);
	r = solve(invocation, request, recorder, progress, results, err);
	if (xb_context_save(request->context, &cause) < 0 ||
	    xb_sources_save(request->sources, &cause) < 0)
		xb_report_warning(cause.message);
	return r;
}

/* Before any work, so that a build whose limits cannot be had ends at once. */
static int open_cgroups(struct xb_build_request *request, struct xb_cgroups **ret,
			struct xb_error *err)
{
	const char *parent = request->options.cgroup_parent;
	int r;

	if (parent == NULL && !xb_resources_any(&request->limits.resources))
		return 0;
	r = xb_cgroups_open(NULL, &request->limits.resources, parent, ret, err);
	request->limits.cgroups = *ret;
	return r;
}

/* Plan, and check: what is found is told also where the plan fails. */
static int plan(const struct xb_invocation *invocation, struct xb_build_request *request,
		enum xb_progress_mode mode, struct xb_error *err)
{
	xb_auto_check struct xb_check check = { 0 };
	int planned, r;

	/* A step that fails will ask; until then it would be a process started for nothing. */
	request->strategy.emulators.no_version = true;
	planned = xb_build_request_plan(invocation, request, err);

	if (request->dockerfile == NULL)
		return planned;
	r = xb_check_run(request, false, &check, NULL, planned < 0 ? NULL : err);
	xb_check_report(request, &check, mode);
	if (planned < 0 || r < 0)
		return planned < 0 ? planned : r;
	return xb_check_verdict(&check, err);
}

static int build(const struct xb_invocation *invocation, struct xb_build_request *request,
		 enum xb_progress_mode mode, struct xb_recorder *recorder, struct xb_error *err)
{
	xb_auto_progress struct xb_progress *progress = NULL;
	xb_auto_results struct xb_results results = { 0 };
	xb_auto_strv struct xb_strv kept = XB_STRV_INIT;
	struct xb_digest digest = { 0 };
	xb_auto_cgroups struct xb_cgroups *cgroups = NULL;
	int r = plan(invocation, request, mode, err);

	if (r == 0)
		r = open_cgroups(request, &cgroups, err);
	if (r < 0)
		return r;
	progress = xb_progress_new(request->plan, mode);
	r = solve_remembering(invocation, request, recorder, progress, &results, err);
	xb_recorder_results(recorder, &results);
	if (r == 0)
		r = xb_smoke_run(request, &results, mode != XB_PROGRESS_QUIET, err);
	if (r == 0)
		r = xb_deliver(request, &results, invocation->plain_user, &digest, &kept, err);
	if (r == 0)
		r = export(request, &results, err);
	if (r < 0)
		return r;
	xb_recorder_digest(recorder, &digest);
	xb_progress_summary(progress, &kept);
	xb_deliver_print(request, &digest);
	return 0;
}

/* A build that is done is done, whether or not it can be remembered. */
static int build_recorded(const struct xb_invocation *invocation, struct xb_build_request *request,
			  enum xb_progress_mode mode, struct xb_error *err)
{
	xb_auto_recorder struct xb_recorder *recorder = xb_recorder_new();
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = build(invocation, request, mode, recorder, err);

	if (xb_recorder_finish(recorder, request, r, err, &cause) < 0)
		xb_report_warning(cause.message);
	return r;
}

int xb_cmd_build(const struct xb_invocation *invocation, struct xb_error *err)
{
	xb_auto_build_request struct xb_build_request request = { 0 };
	enum xb_progress_mode mode = XB_PROGRESS_QUIET;
	struct xb_call call = { 0 };
	int r = xb_build_request_read(invocation, &request, err);

	if (r == 0 && request.options.help)
		return print_help();
	if (r == 0)
		r = xb_smoke_check(&request, err);
	if (r == 0)
		r = xb_audit_build_check(&request, err);
	if (r == 0 && !request.options.quiet)
		r = xb_progress_mode(request.options.progress, &mode, err);
	if (r == 0)
		r = xb_call_parse(request.options.call, request.options.check, &call, err);
	if (r < 0)
		return r;
	if (call.kind != XB_CALL_BUILD)
		return xb_call_answer(invocation, &request, &call, err);
	/* Not before: a question works on no snapshot. */
	r = xb_proc_become_root(err);
	if (r >= 0)
		r = xb_leg_begin(&request, err);
	return r < 0 ? r : build_recorded(invocation, &request, mode, err);
}
