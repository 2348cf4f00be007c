/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/proc.h"
#include "builder/cache/limit.h"
#include "builder/cli/cache_limit.h"
#include "builder/cli/context.h"
#include "builder/cli/gaps.h"
#include "builder/cli/guard_option.h"
#include "builder/cli/outputs.h"
#include "builder/cli/report.h"
#include "builder/cli/snapshots.h"
#include "builder/dockerfile/frontend.h"
#include "builder/dockerfile/limits.h"
#include "builder/plan/make.h"
#include "builder/plan/scout.h"
#include "builder/solve/remote.h"
#include "manifest/reference.h"
#include "platforms/host.h"

#define MAX_JOBS 1024

void xb_build_request_clear(struct xb_build_request *request)
{
	xb_plan_free(request->plan);
	xb_sources_free(request->sources);
	xb_caches_clear(&request->caches);
	xb_registries_clear(&request->registries);
	xb_dockerfile_free(request->dockerfile);
	xb_context_free(request->context);
	if (request->store != NULL)
		xb_store_free(request->store);
	xb_outputs_clear(&request->outputs);
	xb_parity_clear(&request->parity);
	xb_array_clear(&request->platforms);
	xb_array_clear(&request->optional);
	xb_leg_request_clear(&request->leg);
	xb_strv_clear(&request->host_lines);
	xb_secrets_clear(&request->secrets);
	xb_agent_sources_clear(&request->agents);
	xb_sandbox_limits_clear(&request->limits);
	xb_granted_clear(&request->granted);
	xb_strv_clear(&request->operands);
	xb_pins_clear(&request->pins);
	xb_strv_clear(&request->renewed);
	xb_build_options_clear(&request->options);
}

/* ---- options ------------------------------------------------------------------------------ */

static int read_platforms(struct xb_build_request *request, struct xb_error *err)
{
	int r = xb_platform_host(&request->host, err);

	return r < 0 ? r
		     : xb_platforms_read(&request->options.platforms, &request->host,
					 &request->platforms, &request->optional, err);
}

static int read_leg(struct xb_build_request *request, struct xb_error *err)
{
	const struct xb_leg_options options = {
		.legs = &request->options.legs,
		.result = request->options.result,
		.revision = request->options.revision,
		.context = request->operands.len == 1 ? request->operands.items[0] : NULL,
		.host = &request->host,
	};
	int r = xb_leg_read(&options, &request->platforms, &request->optional, &request->leg, err);

	if (request->leg.on)
		xb_leg_names(&request->options.names);
	return r;
}

/* The platforms of the whole, of which a leg builds some. */
static const struct xb_platforms *whole(const struct xb_build_request *request)
{
	return request->leg.on ? &request->leg.platforms : &request->platforms;
}

/* NAME without a value takes it from the environment; SOURCE_DATE_EPOCH is taken from it anyway. */
static void complete_build_args(struct xb_strv *args)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	struct xb_strv complete = XB_STRV_INIT;

	for (size_t i = 0; i < args->len; i++) {
		const char *arg = args->items[i];
		const char *value = strchr(arg, '=') == NULL ? getenv(arg) : NULL;

		struct xb_view rest = xb_view(arg);
		struct xb_view name;

		/* the last of a name counts */
		(void)xb_view_split(&rest, '=', &name);
		if (rest.data != NULL)
			xb_env_set(&complete, name, rest);
		else if (value != NULL)
			xb_env_set(&complete, name, xb_view(value));
	}
	if (epoch != NULL && *epoch != '\0' &&
	    xb_env_get(&complete, XB_VIEW("SOURCE_DATE_EPOCH")) == NULL)
		xb_strv_printf(&complete, "SOURCE_DATE_EPOCH=%s", epoch);
	xb_strv_clear(args);
	*args = complete;
}

/* Whether `text` is a host's name: it becomes a word of a line of /etc/hosts. */
static bool is_host_name(struct xb_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c <= ' ' || c == '#' || c == 0x7f)
			return false;
	}
	return text.len > 0;
}

/* Read an address, which may stand in brackets; `*ret` gets what stands in them. */
static bool is_address(const char *text, struct xb_view *ret)
{
	struct xb_view view = xb_view(text);
	struct in6_addr six;
	struct in_addr four;
	xb_autofree char *bare = NULL;

	if (xb_view_starts(view, XB_VIEW("[")) && xb_view_ends(view, XB_VIEW("]")))
		view = xb_view_sub(view, 1, view.len - 2);
	bare = xb_view_dup(view);
	*ret = view;
	return inet_pton(AF_INET, bare, &four) == 1 || inet_pton(AF_INET6, bare, &six) == 1;
}

static int read_hosts(struct xb_build_request *request, struct xb_error *err)
{
	const struct xb_strv *hosts = &request->options.hosts;

	for (size_t i = 0; i < hosts->len; i++) {
		const char *text = hosts->items[i];
		struct xb_view name = { text, strcspn(text, ":=") };
		struct xb_view address;

		if (text[name.len] == '\0' || !is_address(text + name.len + 1, &address))
			return xb_error_usage(err, "write NAME:ADDRESS",
					      "--add-host %s: no address", text);
		if (!is_host_name(name))
			return xb_error_usage(err, "write NAME:ADDRESS", "--add-host %s: no name",
					      text);
		xb_strv_printf(&request->host_lines, "%.*s\t%.*s", XB_VIEW_ARGS(address),
			       XB_VIEW_ARGS(name));
	}
	return 0;
}

static int read_secrets(struct xb_build_request *request, struct xb_error *err)
{
	const struct xb_strv *secrets = &request->options.secrets;
	const struct xb_strv *agents = &request->options.agents;
	int r = 0;

	for (size_t i = 0; r == 0 && i < secrets->len; i++)
		r = xb_secret_parse(secrets->items[i], &request->secrets, err);
	for (size_t i = 0; r == 0 && i < agents->len; i++)
		r = xb_agent_parse(agents->items[i], &request->agents, err);
	return r;
}

static int read_limits(struct xb_build_request *request, struct xb_error *err)
{
	struct xb_limit_options options = {
		.ulimits = &request->options.ulimits,
		.resources = &request->options.resources,
		.shm_size = request->options.shm_size,
	};
	int r = xb_limits_read(&options, &request->limits, err);

	return r < 0 ? r : xb_granted_read(&request->options.allowed, &request->granted, err);
}

static int read_registries(struct xb_build_request *request, struct xb_error *err)
{
	return xb_registries_init(&request->registries, &request->options.registries, err);
}

static int read_network(struct xb_build_request *request, struct xb_error *err)
{
	const char *mode = request->options.network;

	if (mode == NULL || strcmp(mode, "default") == 0 || strcmp(mode, "host") == 0)
		return 0;
	if (strcmp(mode, "none") != 0)
		return xb_error_usage(err, "use default, host or none", "--network %s is not known",
				      mode);
	request->no_network = true;
	return 0;
}

static int read_jobs(struct xb_build_request *request, struct xb_error *err)
{
	const char *text = request->options.jobs;
	uint64_t jobs = 0;

	if (text != NULL && (xb_view_parse_u64(xb_view(text), MAX_JOBS, &jobs) < 0 || jobs == 0))
		return xb_error_usage(err, "give a whole number from 1 to 1024", "--jobs %s", text);
	request->jobs = (unsigned)jobs;
	return 0;
}

static int read_max_layer(struct xb_build_request *request, struct xb_error *err)
{
	return xb_option_size("--max-layer-size", request->options.max_layer, &request->max_layer,
			      err);
}

static int read_snapshots(struct xb_build_request *request, struct xb_error *err)
{
	return xb_snapshots_read(request->options.snapshots, &request->means, err);
}

static int read_cache_limit(struct xb_build_request *request, struct xb_error *err)
{
	return xb_cache_limit_read(request->options.cache_limit, &request->cache_limit, err);
}

static int check_names(const struct xb_build_options *options, struct xb_error *err)
{
	for (size_t i = 0; i < options->names.len; i++) {
		xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
		int r = xb_reference_parse(xb_view(options->names.items[i]), &ref, err);

		if (r < 0) {
			(void)xb_error_wrap(err, r, "-t %s", options->names.items[i]);
			(void)xb_error_hint(err, "write NAME or NAME:TAG, in lower case");
			return xb_error_fault(err, XB_FAULT_USAGE);
		}
	}
	for (size_t i = 0; i < options->labels.len; i++) {
		if (options->labels.items[i][0] == '=' || options->labels.items[i][0] == '\0')
			return xb_error_usage(err, "write NAME=VALUE", "--label %s: no name",
					      options->labels.items[i]);
	}
	return 0;
}

static int read_outputs(struct xb_build_request *request, struct xb_error *err)
{
	const struct xb_outputs_options options = {
		.outputs = &request->options.outputs,
		.names = &request->options.names,
		.push = request->options.push,
		.load = request->options.load,
		.leg = request->leg.on ? request->options.result : NULL,
	};

	return xb_outputs_read(&options, &request->outputs, err);
}

static int read_caches(struct xb_build_request *request, struct xb_error *err)
{
	return xb_caches_read(&request->options.cache_from, &request->options.cache_to,
			      &request->caches, err);
}

static int read_strategy(struct xb_build_request *request, struct xb_error *err)
{
	struct xb_strategy_options *strategy = &request->strategy;
	int r = xb_guard_option_read(request->options.guard, &strategy->no_guard, err);

	strategy->no_emulation = request->options.no_emulation;
	strategy->emulators.overrides = &request->options.emulators;
	for (size_t i = 0; r == 0 && i < request->options.emulators.len; i++)
		r = xb_emulator_check_override(request->options.emulators.items[i], err);
	return r;
}

static int check_annotations(const struct xb_build_request *request,
			     const struct xb_annotate *annotate, struct xb_error *err)
{
	return xb_annotate_check(annotate, whole(request)->items, whole(request)->len,
				 request->index, err);
}

static int read_parity(struct xb_build_request *request, struct xb_error *err)
{
	const struct xb_build_options *o = &request->options;
	struct xb_parity_options options = {
		.mismatches = &o->mismatches,
		.filters = &o->no_cache_filters,
		.annotations = &o->annotations,
		.attestations = &o->attestations,
		.build_args = &o->build_args,
		.provenance = o->provenance,
		.sbom = o->sbom,
		.builder = o->builder,
	};
	int r = xb_parity_read(&options, &request->parity, err);

	if (r == 0)
		r = xb_parity_index(&request->parity, whole(request)->len, &request->index, err);
	if (r == 0)
		r = check_annotations(request, &request->parity.annotate, err);
	for (size_t i = 0; r == 0 && i < request->outputs.len; i++)
		r = check_annotations(request, &request->outputs.items[i].annotate, err);
	return r;
}

/* What cannot be done without asking anybody; NULL: there is nothing. */
static const char *asks_anyway(const struct xb_build_request *request)
{
	for (size_t i = 0; i < request->outputs.len; i++) {
		if (request->outputs.items[i].push)
			return "an output that is pushed";
	}
	if (xb_caches_ask(&request->caches))
		return "a cache of a registry";
	return request->options.pull ? "--pull" : NULL;
}

static int check_offline(const struct xb_build_request *request, struct xb_error *err)
{
	const char *what = request->options.offline ? asks_anyway(request) : NULL;

	return what == NULL
		       ? 0
		       : xb_error_usage(err, "leave one of them out", "--offline and %s", what);
}

static int check_operands(const struct xb_build_request *request, struct xb_error *err)
{
	const char *file;

	if (request->operands.len != 1)
		return xb_error_usage(err, "xbuild [OPTIONS] PATH|URL|-, as in: xbuild -t app .",
				      "%s build context is given",
				      request->operands.len == 0 ? "no" : "more than one");
	file = request->options.file;
	if (file != NULL && strcmp(file, "-") == 0 && strcmp(request->operands.items[0], "-") == 0)
		return xb_error_usage(err, "give the Dockerfile or the context as a file",
				      "standard input cannot be both Dockerfile and context");
	return 0;
}

static void invoked_by(struct xb_build_request *request, const struct xb_invocation *invocation)
{
	request->default_root = invocation->default_root;
	request->stop_fd = invocation->stop_fd;
}

int xb_build_request_read(const struct xb_invocation *invocation, struct xb_build_request *request,
			  struct xb_error *err)
{
	static int (*const readers[])(struct xb_build_request *, struct xb_error *) = {
		read_platforms, read_leg,	  read_hosts,	  read_secrets,	   read_limits,
		read_network,	read_jobs,	  read_max_layer, read_outputs,	   read_strategy,
		read_parity,	read_cache_limit, read_snapshots, read_registries, read_caches,
	};
	int r = xb_options_parse(xb_build_option_table, invocation->argv, false, &request->options,
				 &request->operands, err);

	if (r < 0 || request->options.help)
		return r;
	invoked_by(request, invocation);
	request->epoch = -1;
	complete_build_args(&request->options.build_args);
	for (size_t i = 0; r == 0 && i < XB_COUNT(readers); i++)
		r = readers[i](request, err);
	if (r == 0)
		r = check_names(&request->options, err);
	if (r == 0)
		r = check_offline(request, err);
	if (r == 0)
		r = check_operands(request, err);
	return r;
}

/* ---- plan --------------------------------------------------------------------------------- */

/* ---- the context ---------------------------------------------------------------------------- */

static bool find_secret(void *context, const char *id, struct xb_view *ret)
{
	struct xb_build_request *request = context;

	return xb_fetch_secret(&request->secrets, id, ret);
}

static void tell(void *context, struct xb_view line)
{
	xb_auto_str struct xb_str safe = XB_STR_INIT(XB_STR_OWN);

	(void)context;
	(void)xb_str_append_quoted(&safe, line);
	(void)fprintf(stderr, "[context] %s\n", xb_str_text(&safe));
}

/* Whether lines about the fetching of a context are wanted. */
static bool is_told(const struct xb_build_options *options)
{
	return !options->quiet &&
	       (options->progress == NULL || strcmp(options->progress, "plain") == 0 ||
		strcmp(options->progress, "tty") == 0 || strcmp(options->progress, "auto") == 0);
}

static struct xb_fetch_options fetch_options(struct xb_build_request *request)
{
	const struct xb_agent_source *agent = xb_agent_find(&request->agents, "default");

	return (struct xb_fetch_options){
		.context = request,
		.secret = find_secret,
		.progress = is_told(&request->options) ? tell : NULL,
		.ssh_agent = agent != NULL ? agent->socket : NULL,
		.cancel_fd = request->stop_fd,
		.fresh = request->options.no_cache && !request->options.offline,
		.offline = request->options.offline,
		.max_size = request->max_layer,
	};
}

/* The time of a reproducible build may be that of something elsewhere. */
static bool names_epoch(const struct xb_dockerfile *file)
{
	for (size_t i = 0; file != NULL && i < file->arg_count; i++) {
		for (size_t k = 0; k < file->args[i].pair_count; k++) {
			if (strcmp(file->args[i].pairs[k].name.text, "SOURCE_DATE_EPOCH") == 0)
				return true;
		}
	}
	return false;
}

static bool is_remote(const struct xb_build_request *request)
{
	return xb_context_is_remote(request->operands.items[0], request->options.file);
}

/* Whether files of others are put into the store before anything is built. */
static bool needs_root(const struct xb_build_request *request)
{
	const char *epoch = xb_env_get(&request->options.build_args, XB_VIEW("SOURCE_DATE_EPOCH"));

	if (epoch != NULL)
		return is_remote(request) || epoch[strspn(epoch, "0123456789")] != '\0';
	return is_remote(request) || names_epoch(request->dockerfile);
}

int xb_build_request_store(struct xb_build_request *request, struct xb_error *err)
{
	const char *root = request->options.root;
	int r = 0;

	if (request->store != NULL)
		return 0;
	if (geteuid() != 0 && needs_root(request))
		r = xb_proc_become_root(err);
	if (r >= 0)
		r = xb_store_open(root != NULL ? root : request->default_root, &request->store,
				  err);
	if (r >= 0)
		xb_limit_set(request->store, request->cache_limit);
	if (r >= 0)
		xb_means_choose(request->store, request->means);
	return r >= 0 && geteuid() == 0 ? xb_means_check_owners(request->store, err) : r;
}

int xb_build_request_dockerfile(struct xb_build_request *request, struct xb_error *err)
{
	struct xb_fetch_options fetch = fetch_options(request);
	struct xb_context_request what = {
		.operand = request->operands.items[0],
		.file = request->options.file,
		.build_args = &request->options.build_args,
		.fetch = &fetch,
	};
	xb_auto_error struct xb_error problem = XB_ERROR_INIT;
	xb_auto_opened struct xb_opened opened = XB_OPENED_INIT;
	int r = is_remote(request) ? xb_build_request_store(request, err) : 0;

	what.store = request->store;
	if (r == 0)
		r = xb_context_find(&what, &opened, err);
	if (r < 0)
		return r;
	request->context = XB_STEAL(opened.context);
	request->context_time = opened.time;
	r = xb_frontend_check(xb_str_view(&opened.text), opened.name,
			      xb_env_get(&request->options.build_args, XB_VIEW("BUILDKIT_SYNTAX")),
			      err);
	if (r < 0)
		return r;
	request->dockerfile =
		xb_dockerfile_parse_part(xb_str_view(&opened.text), opened.name, &problem);
	if (problem.code == 0)
		return 0;
	if (err == NULL)
		return problem.code;
	xb_error_move(err, &problem);
	return err->code;
}

/* Leave a platform out of the build, and say why. */
static void drop_platform(struct xb_build_request *request, size_t index,
			  const struct xb_error *cause)
{
	struct xb_platform *platforms = request->platforms.items;
	xb_autofree char *text = xb_format(
		"%s is left out: %s", xb_platform_name(&platforms[index]).text, cause->message);

	xb_report_warning(text);
	request->platforms.len--;
	request->optional.len--;
	for (size_t i = index; i < request->platforms.len; i++) {
		platforms[i] = platforms[i + 1];
		request->optional.items[i] = request->optional.items[i + 1];
	}
}

/*
 * Each platform that may fail is planned by itself, so that one for which there is no base or no
 * emulator does not take the others with it. The last one that is left must do.
 */
static void drop_impossible(struct xb_build_request *request, const struct xb_plan_request *all)
{
	for (size_t i = request->platforms.len; i-- > 0 && request->platforms.len > 1;) {
		xb_auto_error struct xb_error cause = XB_ERROR_INIT;
		xb_auto_plan struct xb_plan *plan = NULL;
		struct xb_plan_request one = *all;

		one.platforms = &request->platforms.items[i];
		one.platform_count = 1;
		if (request->optional.items[i] && xb_plan_make(&one, &plan, &cause) < 0)
			drop_platform(request, i, &cause);
	}
}

/* The images of a leg tell their times, which have to be those of the other legs'. */
static int check_clock(const struct xb_build_request *request, struct xb_error *err)
{
	if (!request->leg.on || request->epoch >= 0)
		return 0;
	return xb_error_usage(err,
			      "SOURCE_DATE_EPOCH=$(git log -1 --format=%ct), the same for all legs",
			      "--result: a leg needs a clock, and SOURCE_DATE_EPOCH is not set");
}

/* ---- pins ---------------------------------------------------------------------------------- */

struct xb_pinning xb_build_request_pinning(const struct xb_build_request *request)
{
	return (struct xb_pinning){
		.file = request->options.lock_file,
		.context = request->context,
	};
}

int xb_build_request_pin_fetches(struct xb_build_request *request, struct xb_pins *pins,
				 struct xb_error *err)
{
	const struct xb_fetch_options fetch = fetch_options(request);

	return xb_pinning_fetch(request->plan, request->store, &fetch, &request->pins, pins, err);
}

/* Before the file is written for the first time there is nothing to read. */
static int read_pins(struct xb_build_request *request, struct xb_error *err)
{
	struct xb_pinning pinning = xb_build_request_pinning(request);
	xb_auto_error struct xb_error fault = XB_ERROR_INIT;
	int r;

	if (!request->options.locked && !request->locking)
		return 0;
	r = xb_pinning_read(&pinning, &request->pins, &fault);
	if (r < 0 && request->locking && fault.fault == XB_FAULT_USAGE)
		r = 0;
	if (r < 0)
		xb_error_move(err, &fault);
	return r < 0 ? r
		     : xb_pinning_drop(&request->pins, &request->options.updates, &request->renewed,
				       err);
}

static int pin_plan(struct xb_build_request *request, const struct xb_fetch_options *fetch,
		    struct xb_error *err)
{
	bool locked = request->options.locked;
	int r = locked ? xb_pinning_apply(request->plan, &request->pins, err) : 0;

	if (r == 0 && request->options.offline)
		r = xb_pinning_check_offline(request->plan, request->store, fetch, err);
	if (r == 0 && locked)
		xb_pinning_tell_unused(&request->pins);
	return r;
}

static int make_plan(struct xb_build_request *request, struct xb_error *err)
{
	size_t asked = whole(request)->len;
	struct xb_plan_request what = {
		.dockerfile = request->dockerfile,
		.platforms = request->platforms.items,
		.platform_count = request->platforms.len,
		.build_platform = request->host,
		.no_network = request->no_network,
		.target = request->options.target,
		.build_args = &request->options.build_args,
		.labels = &request->options.labels,
		.context_time = request->context_time,
		.allow = request->parity.allow,
		.fresh_stages = &request->parity.fresh_stages,
		.hostname = request->parity.hostname,
		.cache_ns = request->parity.cache_ns,
		.strategy = &request->strategy,
		.sources = xb_sources_for_plan(request->sources),
		.grants = xb_granted_for_plan(&request->granted),
	};
	struct xb_fetch_options fetch = fetch_options(request);
	xb_auto_plan_wants struct xb_plan_wants wants = { 0 };
	int r;

	xb_sources_set_fetch(request->sources, &fetch);
	xb_plan_scout(&what, &wants);
	r = xb_sources_expect(request->sources, &wants, err);
	if (r < 0)
		return r;
	drop_impossible(request, &what);
	what.platform_count = request->platforms.len;
	r = xb_plan_make(&what, &request->plan, err);
	if (r < 0)
		xb_gaps_explain(&what, &wants, err);
	if (r == 0)
		r = pin_plan(request, &fetch, err);
	if (r == 0)
		request->epoch = request->plan->epoch;
	for (size_t i = 0; r == 0 && i < request->outputs.len; i++)
		r = xb_output_check(&request->outputs.items[i], asked, err);
	request->several = asked > 1;
	return r == 0 ? check_clock(request, err) : r;
}

static int open_sources(struct xb_build_request *request, struct xb_error *err)
{
	const struct xb_roots_policy policy = {
		.fresh = request->options.pull,
		.offline = request->options.offline,
		.pins = &request->pins,
		.locked = request->options.locked,
		.renewed = &request->renewed,
	};
	struct xb_registry_opener opener;
	int r = xb_sources_new(request->store, &request->options.build_contexts, &request->sources,
			       err);

	request->registries.cancel_fd = request->stop_fd;
	opener = xb_registries_opener(&request->registries);
	if (r == 0)
		xb_sources_set_registry(request->sources, &opener, &policy);
	return r;
}

int xb_build_request_plan(const struct xb_invocation *invocation, struct xb_build_request *request,
			  struct xb_error *err)
{
	int r;

	invoked_by(request, invocation);
	r = xb_build_request_dockerfile(request, err);
	if (r == 0)
		r = xb_build_request_store(request, err);
	if (r == 0)
		r = read_pins(request, err);
	if (r == 0)
		r = open_sources(request, err);
	if (r == 0)
		r = make_plan(request, err);
	return r;
}
