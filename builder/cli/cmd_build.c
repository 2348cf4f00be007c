/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "builder/cli/call.h"
#include "builder/cli/check.h"
#include "builder/cli/progress.h"
#include "builder/cli/report.h"
#include "builder/cli/request.h"
#include "builder/solve/assemble.h"

static int print_help(void)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	xb_options_help(xb_build_option_table, &text);
	(void)printf("xbuild [build] [OPTIONS] PATH|URL|-\n\n"
		     "Build the Dockerfile of PATH for one or several platforms.\n\n%s",
		     xb_str_text(&text));
	return 0;
}

/* Write a small file of the user's, whole or not at all, for everybody to read. */
static int write_file(const char *path, struct xb_view text, struct xb_error *err)
{
	int r = xb_file_replace_at(AT_FDCWD, path, text.data, text.len, false, err);

	if (r == 0 && chmod(path, 0644) < 0)
		r = xb_error_errno(err, -errno, "setting its mode");
	return r < 0 ? xb_error_wrap(err, r, "writing %s", path) : 0;
}

static int write_metadata(const struct xb_build_request *request,
			  const struct xb_assembled *assembled, struct xb_error *err)
{
	xb_auto_json json_t *object = json_object();
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int r;

	xb_json_set_string(object, "containerimage.digest", assembled->root.digest.text);
	xb_json_set_new(object, "containerimage.descriptor",
			xb_descriptor_to_json(&assembled->root));
	if (request->options.names.len > 0) {
		xb_autofree char *names = xb_strv_join(&request->options.names, ",");

		xb_json_set_string(object, "image.name", names);
	}
	r = xb_json_write_pretty(object, &text, err);
	return r < 0 ? r : write_file(request->options.metadata_file, xb_str_view(&text), err);
}

static int write_outputs(const struct xb_invocation *invocation,
			 const struct xb_build_request *request, const struct xb_plan *plan,
			 const struct xb_results *results, const struct xb_assembled *assembled,
			 struct xb_error *err)
{
	struct xb_output_source source = {
		.store = request->store,
		.plan = plan,
		.several = request->several,
		.results = results,
		.assembled = assembled,
		.names = &request->options.names,
		.epoch = request->epoch,
		.max_layer = request->max_layer,
		.own_files = invocation->plain_user,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < request->outputs.len; i++)
		r = xb_output_write(&request->outputs.items[i], &source, err);
	if (r == 0 && request->options.metadata_file != NULL)
		r = write_metadata(request, assembled, err);
	if (r == 0 && request->options.iid_file != NULL)
		r = write_file(request->options.iid_file, xb_view(assembled->root.digest.text),
			       err);
	return r;
}

/* Standard output carries the digest alone, unless an output was written there. */
static void print_digest(const struct xb_build_request *request,
			 const struct xb_assembled *assembled)
{
	for (size_t i = 0; i < request->outputs.len; i++) {
		const char *dest = request->outputs.items[i].dest;

		if (dest != NULL && strcmp(dest, "-") == 0)
			return;
	}
	(void)printf("%s\n", assembled->root.digest.text);
}

static int solve(const struct xb_invocation *invocation, const struct xb_build_request *request,
		 struct xb_progress *progress, struct xb_results *results, struct xb_error *err)
{
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
		.keep_going = request->options.keep_going,
		.optional = request->optional.items,
		.jobs = request->jobs,
		.stop_fd = invocation->stop_fd,
		.observer = xb_progress_observer(progress),
	};

	return xb_solve(&what, results, err);
}

/* Files that have not changed since the last build are not read. */
static int solve_remembering(const struct xb_invocation *invocation,
			     const struct xb_build_request *request, struct xb_progress *progress,
			     struct xb_results *results, struct xb_error *err)
{
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r;

	if (request->context != NULL)
		xb_context_remember(request->context, xb_store_contexts(request->store));
	xb_sources_remember(request->sources);
	r = solve(invocation, request, progress, results, err);
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

/*
 * The plan without targets that have no result, which were allowed to fail; `targets` (room for
 * all) gets those that are left. Each that is left out is told.
 */
static struct xb_plan without_missing(const struct xb_plan *plan, const struct xb_results *results,
				      struct xb_plan_target *targets)
{
	struct xb_plan left = *plan;

	left.targets = targets;
	left.target_count = 0;
	for (size_t t = 0; t < plan->target_count; t++) {
		xb_autofree char *text = NULL;

		if (xb_results_have(results, plan->targets[t].step)) {
			targets[left.target_count++] = plan->targets[t];
			continue;
		}
		text = xb_format("%s failed and is left out of the result",
				 xb_platform_name(&plan->targets[t].platform).text);
		xb_report_warning(text);
	}
	return left;
}

/* All steps are done: the documents, and where they go. */
static int finish(const struct xb_invocation *invocation, const struct xb_build_request *request,
		  const struct xb_results *results, struct xb_assembled *assembled,
		  struct xb_error *err)
{
	xb_autofree struct xb_plan_target *targets =
		xb_calloc(request->plan->target_count, sizeof(*targets));
	struct xb_plan plan = without_missing(request->plan, results, targets);
	int r = xb_assemble(request->store, &plan, results, request->epoch,
			    &request->parity.annotate, request->index, assembled, err);

	return r < 0 ? r : write_outputs(invocation, request, &plan, results, assembled, err);
}

static int build(const struct xb_invocation *invocation, struct xb_build_request *request,
		 enum xb_progress_mode mode, struct xb_error *err)
{
	xb_auto_progress struct xb_progress *progress = NULL;
	xb_auto_results struct xb_results results = { 0 };
	xb_auto_assembled struct xb_assembled assembled = { 0 };
	xb_auto_cgroups struct xb_cgroups *cgroups = NULL;
	int r = plan(invocation, request, mode, err);

	if (r == 0)
		r = open_cgroups(request, &cgroups, err);
	if (r < 0)
		return r;
	progress = xb_progress_new(request->plan, mode);
	r = solve_remembering(invocation, request, progress, &results, err);
	if (r == 0)
		r = finish(invocation, request, &results, &assembled, err);
	if (r < 0)
		return r;
	xb_progress_summary(progress);
	print_digest(request, &assembled);
	return 0;
}

int xb_cmd_build(const struct xb_invocation *invocation, struct xb_error *err)
{
	xb_auto_build_request struct xb_build_request request = { 0 };
	enum xb_progress_mode mode = XB_PROGRESS_QUIET;
	struct xb_call call = { 0 };
	int r = xb_build_request_read(invocation, &request, err);

	if (r == 0 && request.options.help)
		return print_help();
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
	return r < 0 ? r : build(invocation, &request, mode, err);
}
