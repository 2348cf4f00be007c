/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/str.h"
#include "builder/cache/store.h"
#include "builder/cli/command.h"
#include "builder/cli/report.h"
#include "builder/fetch/git_child.h"
#include "builder/layer/unpack.h"

static const struct {
	const char *name;
	xb_command *run;
	bool as_root; /* works on snapshots, hence as root of a user namespace */
	const char *help;
} commands[] = {
	{ "build", xb_cmd_build, false, "build a Dockerfile (`build` may be left out)" },
	{ "plan", xb_cmd_plan, false, "show what would run, where and why" },
	{ "lock", xb_cmd_lock, true, "write down what bases and fetched things are" },
	{ "run", xb_cmd_run, true, "run an image, emulated where needed" },
	{ "images", xb_cmd_images, false, "list the store's images" },
	{ "tag", xb_cmd_tag, false, "give an image of the store another name" },
	{ "rmi", xb_cmd_rmi, false, "remove names from the store" },
	{ "push", xb_cmd_push, false, "push images of the store to registries" },
	{ "pull", xb_cmd_pull, false, "pull images from registries into the store" },
	{ "manifest", xb_cmd_manifest, false, "indexes anywhere: create, change, inspect, copy" },
	{ "ci", xb_cmd_ci, false, "write a CI system's workflow of legs and their merge" },
	{ "merge", xb_cmd_merge, false, "join what the legs of a build made" },
	{ "login", xb_cmd_login, false, "keep a password for a registry" },
	{ "logout", xb_cmd_logout, false, "forget it" },
	{ "cache", xb_cmd_cache, true, "the store: du, ls, prune, check" },
	{ "history", xb_cmd_history, false, "the last builds: ls, inspect, logs, rm" },
	{ "audit", xb_cmd_audit, false, "whether everything in an image is for its platform" },
	{ "diff", xb_cmd_diff, false, "what differs between platforms, or between images" },
	{ "reproduce", xb_cmd_reproduce, true, "build twice, and say where the results part" },
	{ "doctor", xb_cmd_doctor, false, "what works on this machine, and what would change it" },
	{ "dump", xb_cmd_dump, false, "each stage's data as JSON: dockerfile, plan, config" },
};

static void print_help(FILE *out)
{
	(void)fputs("xbuild - build one Dockerfile for many platforms\n\n"
		    "  xbuild [build] --platform linux/amd64,linux/arm64 -t app:1.0 PATH\n\n"
		    "Commands:\n",
		    out);
	for (size_t i = 0; i < XB_COUNT(commands); i++)
		(void)fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
	(void)fputs("\n`xbuild COMMAND --help` lists a command's options.\n", out);
}

/* Signals that stop a build arrive through a descriptor; a closed pipe is an error of write(). */
static int make_stop_fd(struct xb_error *err)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? xb_error_errno(err, -errno, "making a signal descriptor") : fd;
}

static int invoke(size_t command, char *const *argv, struct xb_error *err)
{
	xb_auto_str struct xb_str root = XB_STR_INIT(XB_STR_OWN);
	xb_auto_fd int stop_fd = -1;
	struct xb_invocation invocation = { .argv = argv, .plain_user = geteuid() != 0 };
	int r = xb_store_default_root(&root, err);

	if (r == 0 && commands[command].as_root)
		r = xb_proc_become_root(err);
	if (r < 0)
		return r;
	stop_fd = make_stop_fd(err);
	if (stop_fd < 0)
		return stop_fd;
	invocation.default_root = xb_str_text(&root);
	invocation.stop_fd = stop_fd;
	return commands[command].run(&invocation, err);
}

/* Which command `argv[1]` names; anything else is the start of a build's arguments. */
static size_t find_command(char *const *argv, char *const **ret_rest)
{
	for (size_t i = 0; argv[1] != NULL && i < XB_COUNT(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			*ret_rest = argv + 2;
			return i;
		}
	}
	*ret_rest = argv + 1;
	return 0;
}

int main(int argc, char **argv)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	char *const *rest;
	size_t command;
	int r;

	if (argc > 0 && xb_unpack_wanted(argv[0]))
		return xb_unpack_main();
	if (argc > 0 && xb_git_child_wanted(argv[0]))
		return xb_git_child_main(argc, argv);
	xb_proc_keep_descriptors();
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(argc < 2 ? stderr : stdout);
		return argc < 2 ? XB_FAULT_USAGE : 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void)puts("xbuild " XB_VERSION);
		return 0;
	}
	/* What xbuild makes has the modes it is asked to have, whatever the caller's umask. */
	(void)umask(022);
	command = find_command(argv, &rest);
	r = invoke(command, rest, &err);
	if (r < 0) {
		xb_report_error(&err);
		return xb_report_status(&err);
	}
	if (fflush(stdout) != 0) {
		xb_report_warning("standard output could not be written");
		return XB_FAULT_INTERNAL;
	}
	return r;
}
