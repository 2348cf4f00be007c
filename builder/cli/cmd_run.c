/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/cache/limit.h"
#include "builder/cli/cache_limit.h"
#include "builder/cli/command.h"
#include "builder/cli/container.h"
#include "builder/cli/guard_option.h"
#include "builder/cli/options.h"
#include "builder/cli/registries.h"
#include "builder/cli/report.h"
#include "builder/cli/snapshots.h"
#include "builder/layer/tarfile.h"
#include "builder/sandbox/prepare.h"
#include "builder/sandbox/sandbox.h"
#include "builder/solve/result.h"
#include "builder/solve/sources.h"
#include "builder/solve/trees.h"
#include "platforms/host.h"

/* Exit status of a program that a signal ended, as shells give it. */
#define SIGNAL_STATUS 128

struct run_options {
	struct xb_strv env;
	struct xb_strv emulators;
	struct xb_registry_flags registries;
	const char *platform;
	const char *user;
	const char *workdir;
	const char *entrypoint;
	const char *network;
	const char *max_layer;
	const char *root;
	const char *snapshots;
	const char *guard;
	bool help;
};

#define AT(member) offsetof(struct run_options, member)

static const struct xb_option option_table[] = {
	{ "platform", 0, XB_OPTION_TEXT, AT(platform), "PLATFORM",
	  "which of the image's platforms (default: this machine's)" },
	{ "env", 'e', XB_OPTION_LIST, AT(env), "NAME=VALUE", "environment variable" },
	{ "user", 'u', XB_OPTION_TEXT, AT(user), "USER[:GROUP]", "who runs it" },
	{ "workdir", 'w', XB_OPTION_TEXT, AT(workdir), "DIR", "where it runs" },
	{ "entrypoint", 0, XB_OPTION_TEXT, AT(entrypoint), "PROGRAM", "instead of the image's" },
	{ "network", 0, XB_OPTION_TEXT, AT(network), "MODE", "default, host or none" },
	{ "emulator", 0, XB_OPTION_LIST, AT(emulators), "PLATFORM=PATH", "emulator to use" },
	{ "guard", 0, XB_OPTION_TEXT, AT(guard), "on|off",
	  "refuse this machine's own programs where it is emulated (default: on)" },
	{ "max-layer-size", 0, XB_OPTION_TEXT, AT(max_layer), "SIZE",
	  "what one layer may unpack to, such as 20G" },
	{ "snapshots", 0, XB_OPTION_TEXT, AT(snapshots), "MEANS",
	  "its root: auto, overlay or copy" },
	{ "root", 0, XB_OPTION_TEXT, AT(root), "DIR", "the store" },
	XB_REGISTRY_OPTION_ROWS(run_options, registries),
	{ "help", 'h', XB_OPTION_FLAG, AT(help), NULL, "this text" },
	{ 0 },
};

/* What a run holds. */
struct running {
	struct run_options options;
	struct xb_strv operands;
	struct xb_platform host;
	struct xb_platform platform;
	struct xb_registries registries; /* for layers that were left there */
	struct xb_store *store;
	struct xb_sources *sources;
	uint64_t max_layer;	    /* bytes, 0: the default */
	char *temporary;	    /* directory of an unpacked archive, or NULL */
	struct xb_snapshot scratch; /* of a root that is a copy, or none */
};

static void running_clear(struct running *run)
{
	xb_sources_free(run->sources);
	xb_registries_clear(&run->registries);
	xb_registry_flags_clear(&run->options.registries);
	if (run->store != NULL)
		xb_snapshot_discard(run->store, &run->scratch);
	xb_store_free(run->store);
	xb_strv_clear(&run->operands);
	xb_strv_clear(&run->options.env);
	xb_strv_clear(&run->options.emulators);
	if (run->temporary != NULL)
		(void)xb_remove_tree_at(AT_FDCWD, run->temporary, NULL);
	free(run->temporary);
}

static int usage(struct xb_error *err, const char *what)
{
	(void)xb_error_set(err, -EINVAL, "%s", what);
	(void)xb_error_hint(err, "xbuild run [--platform P] IMAGE [COMMAND…]");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

static int read_options(const struct xb_invocation *invocation, struct running *run,
			struct xb_error *err)
{
	const char *network;
	int r = xb_options_parse(option_table, invocation->argv, true, &run->options,
				 &run->operands, err);

	if (r < 0 || run->options.help)
		return r;
	network = run->options.network;
	if (run->operands.len == 0)
		return usage(err, "no image is named");
	if (network != NULL && strcmp(network, "none") != 0 && strcmp(network, "host") != 0 &&
	    strcmp(network, "default") != 0)
		return usage(err, "--network takes default, host or none");
	r = xb_platform_host(&run->host, err);
	run->platform = run->host;
	if (r == 0 && run->options.platform != NULL)
		r = xb_platform_parse(xb_view(run->options.platform), &run->host, &run->platform,
				      err);
	if (r == 0)
		r = xb_option_size("--max-layer-size", run->options.max_layer, &run->max_layer,
				   err);
	return r < 0 ? xb_error_fault(err, XB_FAULT_USAGE) : 0;
}

/* Unpack "FILE[:TAG]" into a directory of its own; `*ret` is then "DIR[:TAG]". */
static int unpack_archive(struct running *run, const char *text, char **ret, struct xb_error *err)
{
	const char *slash = strrchr(text, '/');
	const char *colon = strchr(slash != NULL ? slash : text, ':');
	xb_autofree char *file =
		colon != NULL ? xb_view_dup((struct xb_view){ text, (size_t)(colon - text) })
			      : xb_strdup(text);
	xb_autofree char *directory = xb_format("%s/run-XXXXXX", P_tmpdir);
	xb_auto_fd int archive = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	xb_auto_fd int dir = -1;
	int r;

	if (archive < 0)
		return xb_error_errno(err, -errno, "opening %s", file);
	if (mkdtemp(directory) == NULL)
		return xb_error_errno(err, -errno, "making %s", directory);
	run->temporary = XB_STEAL(directory);
	dir = open(run->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return xb_error_errno(err, -errno, "opening %s", run->temporary);
	r = xb_tarfile_extract(archive, dir, err);
	if (r < 0)
		return xb_error_wrap(err, r, "reading %s", file);
	*ret = xb_format("%s%s", run->temporary, colon != NULL ? colon : "");
	return 0;
}

/* An image is a tag of the store, oci:DIR[:TAG] or oci-archive:FILE[:TAG]. */
static int open_sources(struct running *run, struct xb_error *err)
{
	const char *image = run->operands.items[0];
	xb_auto_strv struct xb_strv named = XB_STRV_INIT;
	xb_autofree char *unpacked = NULL;
	int r;

	if (strncmp(image, "oci:", 4) == 0) {
		xb_strv_printf(&named, "%s=oci-layout://%s", image, image + 4);
	} else if (strncmp(image, "oci-archive:", 12) == 0) {
		r = unpack_archive(run, image + 12, &unpacked, err);
		if (r < 0)
			return r;
		xb_strv_printf(&named, "%s=oci-layout://%s", image, unpacked);
	}
	return xb_sources_new(run->store, &named, &run->sources, err);
}

static void command_of(const struct running *run, const struct xb_image_config *config,
		       struct xb_strv *argv)
{
	bool own = run->operands.len > 1;

	if (run->options.entrypoint != NULL)
		xb_strv_push(argv, run->options.entrypoint);
	else
		xb_strv_append(argv, &config->entrypoint);
	for (size_t i = 1; i < run->operands.len; i++)
		xb_strv_push(argv, run->operands.items[i]);
	if (!own && run->options.entrypoint == NULL)
		xb_strv_append(argv, &config->cmd);
}

static int set_program(const struct running *run, const struct xb_image_config *config,
		       struct xb_sandbox_spec *spec, struct xb_error *err)
{
	const char *user = run->options.user != NULL ? run->options.user : config->user;
	const char *cwd = run->options.workdir != NULL ? run->options.workdir : config->working_dir;

	command_of(run, config, &spec->argv);
	if (spec->argv.len == 0)
		return usage(err, "the image has no entrypoint and no command, and none is given");
	xb_strv_append(&spec->env, &config->env);
	for (size_t i = 0; i < run->options.env.len; i++) {
		struct xb_view value = xb_view(run->options.env.items[i]);
		struct xb_view name;

		(void)xb_view_split(&value, '=', &name);
		xb_env_set(&spec->env, name, value);
	}
	free(spec->user);
	spec->user = xb_strdup(user);
	if (cwd != NULL && *cwd != '\0') {
		free(spec->cwd);
		spec->cwd = xb_strdup(cwd);
	}
	spec->terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
	return 0;
}

static int prepare(struct running *run, struct xb_sandbox_spec *spec, struct xb_error *err)
{
	struct xb_plan_sources sources = xb_sources_for_plan(run->sources);
	struct xb_strategy_options strategy = { .emulators.overrides = &run->options.emulators };
	struct xb_sandbox_request request = {
		.platform = &run->platform,
		.host = &run->host,
		.strategy = &strategy,
		.no_network =
			run->options.network != NULL && strcmp(run->options.network, "none") == 0,
	};
	const struct xb_image *image = NULL;
	struct xb_result result = { 0 };
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	int r = xb_guard_option_read(run->options.guard, &strategy.no_guard, err);

	if (r == 0)
		r = sources.image(sources.context, run->operands.items[0], &run->platform, false,
				  &image, err);

	if (r == 0)
		r = xb_sources_import(run->sources, image, err);
	if (r == 0) {
		xb_result_of_image(&result, image);
		r = xb_trees_paths(run->store, &result, run->max_layer, &lowers, &warnings, err);
		xb_result_clear(&result);
	}
	for (size_t i = 0; i < warnings.len; i++)
		xb_report_warning(warnings.items[i]);
	if (r == 0)
		r = set_program(run, &image->config, spec, err);
	/* The platform that was found, which may be an older relative of the one asked for. */
	if (r == 0)
		run->platform = image->config.platform;
	if (r == 0)
		r = xb_container_root(run->store, &lowers, &run->scratch, spec, err);
	return r < 0 ? r : xb_sandbox_prepare(spec, &request, err);
}

/* Whether the signal that arrived is meant for us: on a terminal Ctrl-C is the program's. */
static bool stop_asked(int stop_fd, bool terminal)
{
	struct signalfd_siginfo info;

	if (read(stop_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return false;
	return !terminal || info.ssi_signo != SIGINT;
}

/* Wait for the program; a signal to stop ends it. */
static int wait_for(struct xb_sandbox *sandbox, int stop_fd, bool terminal, struct xb_error *err)
{
	struct pollfd fds[] = {
		{ .fd = xb_sandbox_fd(sandbox), .events = POLLIN },
		{ .fd = stop_fd, .events = POLLIN },
	};
	struct xb_sandbox_result result;
	int r;

	do {
		if (poll(fds, XB_COUNT(fds), -1) < 0)
			continue;
		if (fds[1].revents != 0 && stop_asked(stop_fd, terminal))
			xb_sandbox_kill(sandbox);
	} while (fds[0].revents == 0);
	r = xb_sandbox_wait(sandbox, &result, err);
	if (r < 0)
		return r;
	return result.signal != 0 ? SIGNAL_STATUS + result.signal : result.exit_code;
}

static int run_image(const struct xb_invocation *invocation, struct running *run,
		     struct xb_error *err)
{
	const char *root = run->options.root != NULL ? run->options.root : invocation->default_root;
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;
	xb_auto_sandbox struct xb_sandbox *sandbox = NULL;
	struct xb_sandbox_io io = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	enum xb_means means = XB_MEANS_AUTO;
	uint64_t limit = 0;
	int r = xb_cache_limit_read(NULL, &limit, err);

	xb_sandbox_spec_init(&spec);
	run->registries.cancel_fd = invocation->stop_fd;
	if (r == 0)
		r = xb_snapshots_read(run->options.snapshots, &means, err);
	if (r == 0)
		r = xb_registries_init(&run->registries, &run->options.registries, err);
	if (r == 0)
		r = xb_store_open(root, &run->store, err);
	if (r == 0)
		xb_registries_supply(&run->registries, run->store);
	if (r == 0)
		xb_limit_set(run->store, limit);
	if (r == 0)
		xb_means_choose(run->store, means);
	if (r == 0)
		r = xb_means_check_owners(run->store, err);
	if (r == 0)
		r = open_sources(run, err);
	if (r == 0)
		r = prepare(run, &spec, err);
	if (r == 0)
		r = xb_sandbox_start(&spec, &io, &sandbox, err);
	return r < 0 ? r : wait_for(sandbox, invocation->stop_fd, spec.terminal, err);
}

int xb_cmd_run(const struct xb_invocation *invocation, struct xb_error *err)
{
	XB_CLEANUP(running_clear) struct running run = { 0 };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int r = read_options(invocation, &run, err);

	if (r < 0)
		return r;
	if (run.options.help) {
		xb_options_help(option_table, &text);
		(void)printf("xbuild run [OPTIONS] IMAGE [COMMAND…]\n\n"
			     "Run an image: a tag of the store, oci:DIR[:TAG] or "
			     "oci-archive:FILE[:TAG].\nWhat it changes is lost at its end.\n\n%s",
			     xb_str_text(&text));
		return 0;
	}
	return run_image(invocation, &run, err);
}
