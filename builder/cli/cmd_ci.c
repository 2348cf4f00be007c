/* SPDX-License-Identifier: Apache-2.0 */
/* Write down, for a CI system, how a build is shared out among machines: ci. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "builder/cli/ci.h"
#include "builder/cli/outputs.h"
#include "builder/cli/request.h"
#include "manifest/reference.h"

struct ci_options {
	struct xb_strv runners;
	const char *setup;
	bool help;
};

#define AT(member) offsetof(struct ci_options, member)
#define SYNOPSIS   "xbuild ci github|gitlab|json [OPTIONS] PATH"

static const struct xb_option ci_table[] = {
	{ "runner", 0, XB_OPTION_LIST, AT(runners), "PLATFORM=LABEL[,LABEL]",
	  "machine that builds a platform, as the CI system knows it" },
	{ "setup", 0, XB_OPTION_TEXT, AT(setup), "COMMAND",
	  "what a shell runs so that there is an xbuild on a machine" },
	{ "help", 'h', XB_OPTION_FLAG, AT(help), NULL, "this text" },
	{ 0 },
};

#define NO_SETUP                                                                                   \
	"command -v xbuild >/dev/null ||\n"                                                        \
	"  { echo 'xbuild is not installed here: xbuild ci --setup COMMAND says how' >&2; exit "   \
	"1; }"

static const char *const github_runners[][2] = {
	{ "linux/amd64", "ubuntu-latest" },
	{ "linux/arm64", "ubuntu-24.04-arm" },
	{ NULL, NULL },
};
static const char *const gitlab_runners[][2] = {
	{ "linux/amd64", "saas-linux-small-amd64" },
	{ "linux/arm64", "saas-linux-small-arm64" },
	{ NULL, NULL },
};
static const char *const json_runners[][2] = {
	{ "linux/amd64", "linux/amd64" },
	{ "linux/arm64", "linux/arm64" },
	{ NULL, NULL },
};

static const struct xb_ci_system systems[] = {
	{ "github", github_runners, xb_ci_write_github },
	{ "gitlab", gitlab_runners, xb_ci_write_gitlab },
	{ "json", json_runners, xb_ci_write_json },
};

/* The command on its way. */
struct work {
	const struct xb_ci_system *system;
	struct ci_options options;
	struct xb_strv rest; /* what is not an option of `ci`: those of a build */
	struct xb_build_request request;
	struct xb_build_options given; /* as they were given: reading a request completes them */
	struct xb_strv operands;
	struct xb_ci_runners runners;
	struct xb_ci_legs legs;
	struct xb_strv words, access, hosts;
};

static void work_clear(struct work *w)
{
	xb_strv_clear(&w->options.runners);
	xb_strv_clear(&w->rest);
	xb_build_request_clear(&w->request);
	xb_build_options_clear(&w->given);
	xb_strv_clear(&w->operands);
	xb_ci_runners_clear(&w->runners);
	xb_ci_legs_clear(&w->legs);
	xb_strv_clear(&w->words);
	xb_strv_clear(&w->access);
	xb_strv_clear(&w->hosts);
}

/* ---- the command line --------------------------------------------------------------------- */

/* Whether a word is one of the options above, and whether its value is the word behind it. */
static bool is_own(const char *word, bool *ret_value)
{
	*ret_value = false;
	if (strcmp(word, "-h") == 0)
		return true;
	for (size_t i = 0; ci_table[i].name != NULL; i++) {
		size_t len = strlen(ci_table[i].name);

		if (strncmp(word, "--", 2) != 0 || strncmp(word + 2, ci_table[i].name, len) != 0)
			continue;
		*ret_value = word[2 + len] == '\0' && ci_table[i].kind != XB_OPTION_FLAG;
		if (word[2 + len] == '\0' || word[2 + len] == '=')
			return true;
	}
	return false;
}

/* Share the words out: options of `ci`, and the rest, which is a build's. */
static void split_words(char *const *argv, struct xb_strv *own, struct xb_strv *rest)
{
	while (*argv != NULL) {
		bool value;

		if (!is_own(*argv, &value)) {
			xb_strv_push(rest, *argv++);
			continue;
		}
		xb_strv_push(own, *argv++);
		if (value && *argv != NULL)
			xb_strv_push(own, *argv++);
	}
}

static int read_runners(struct work *w, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; w->system->runners[i][0] != NULL; i++) {
		struct xb_platform platform;

		r = xb_platform_parse(xb_view(w->system->runners[i][0]), NULL, &platform, err);
		if (r < 0)
			return r;
		xb_ci_runners_set(&w->runners, &platform, xb_view(w->system->runners[i][1]));
	}
	for (size_t i = 0; r == 0 && i < w->options.runners.len; i++)
		r = xb_ci_runners_parse(&w->runners, w->options.runners.items[i], err);
	return r;
}

/* Options that cannot go into what is written, or that it has itself. */
static int check_options(const struct work *w, struct xb_error *err)
{
	const struct xb_build_options *o = &w->given;

	if (o->legs.len > 0 || o->result != NULL || o->revision != NULL)
		return xb_error_usage(err, "leave out --leg, --result and --revision",
				      "each leg is given its own");
	if (xb_view_is(xb_view(w->operands.items[0]), "-") ||
	    (o->file != NULL && strcmp(o->file, "-") == 0))
		return xb_error_usage(err, "name a directory or a URL",
				      "what comes on standard input is not there in CI");
	return xb_outputs_check_merged(&w->request.outputs, err);
}

/* The registries that are pushed to. */
static int find_hosts(struct work *w, struct xb_error *err)
{
	const struct xb_strv *names = &w->given.names;

	for (size_t i = 0; w->given.push && i < names->len; i++) {
		xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
		int r = xb_reference_parse(xb_view(names->items[i]), &ref, err);

		if (r < 0)
			return r;
		if (xb_strv_find(&w->hosts, ref.domain) < 0)
			xb_strv_push(&w->hosts, ref.domain);
	}
	return 0;
}

static int read_options(struct work *w, const struct xb_invocation *invocation,
			struct xb_error *err)
{
	struct xb_invocation build = *invocation;
	int r = xb_options_parse(xb_build_option_table, xb_strv_argv(&w->rest), false, &w->given,
				 &w->operands, err);

	build.argv = xb_strv_argv(&w->rest);
	if (r == 0)
		r = xb_build_request_read(&build, &w->request, err);
	if (r == 0)
		r = check_options(w, err);
	if (r == 0)
		r = read_runners(w, err);
	return r < 0 ? r : find_hosts(w, err);
}

/* The words of the build that legs have in common, and those that a merge has, too. */
static void make_words(struct work *w)
{
	static const char *const access[] = { "plain-http", "registry-ca", "registry-cert",
					      "registry-realm", NULL };
	static const char *const without[] = {
		"platform",
		"tag",
		"output",
		"push",
		"load",
		"allow-drop",
		"dry-run",
		"root",
		"quiet",
		"metadata-file",
		"iidfile",
		"format",
		"call",
		"check",
		"plain-http",
		"registry-ca",
		"registry-cert",
		"registry-realm",
		"no-index-labels",
		NULL,
	};
	const struct xb_registry_flags *flags = &w->given.registries;
	const struct xb_strv *const lists[] = { &flags->plain_http, &flags->ca, &flags->cert,
						&flags->realms };

	xb_options_words(xb_build_option_table, &w->given, without, &w->words);
	if (w->given.no_index_labels)
		xb_strv_push(&w->access, "--no-index-labels");
	for (size_t i = 0; i < XB_COUNT(lists); i++) {
		for (size_t k = 0; k < lists[i]->len; k++) {
			xb_strv_printf(&w->access, "--%s", access[i]);
			xb_strv_push(&w->access, lists[i]->items[k]);
		}
	}
}

/* ---- what is written ---------------------------------------------------------------------- */

static char *platforms_of(const struct work *w)
{
	const struct xb_build_request *request = &w->request;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	for (size_t i = 0; i < request->platforms.len; i++) {
		(void)xb_str_puts(&text, i > 0 ? "," : "");
		(void)xb_platform_format_all(&request->platforms.items[i], &text);
		(void)xb_str_puts(&text, request->optional.items[i] ? "?" : "");
	}
	return xb_str_steal(&text);
}

static int write_out(struct work *w, struct xb_error *err)
{
	xb_autofree char *platforms = platforms_of(w);
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);
	const struct xb_ci ci = {
		.legs = &w->legs,
		.runners = &w->runners,
		.platforms = platforms,
		.options = &w->words,
		.access = &w->access,
		.names = &w->given.names,
		.outputs = &w->given.outputs,
		.hosts = &w->hosts,
		.context = w->operands.items[0],
		.setup = w->options.setup != NULL ? w->options.setup : NO_SETUP,
		.push = w->given.push,
		.allow_drop = w->given.allow_drop,
	};
	int r = w->system->write(&ci, &out, err);

	if (r == 0)
		(void)fputs(xb_str_text(&out), stdout);
	return r;
}

/* The plan is that of the first machine, and nothing of it runs here. */
static int run(struct work *w, const struct xb_invocation *invocation, struct xb_error *err)
{
	int r = read_options(w, invocation, err);

	if (r < 0)
		return r;
	w->request.host = w->runners.items[0].platform;
	w->request.strategy.elsewhere = true;
	r = xb_build_request_plan(invocation, &w->request, err);
	if (r < 0)
		return r;
	make_words(w);
	xb_ci_legs_make(w->request.plan, &w->request.optional, &w->runners, &w->legs);
	return write_out(w, err);
}

static int print_help(void)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	xb_options_help(ci_table, &text);
	(void)printf(SYNOPSIS
		     "\n\n"
		     "Write a workflow or pipeline in which legs build the platforms and a "
		     "merge joins them.\n\n%s\n"
		     "All other options are those of `xbuild build`.\n",
		     xb_str_text(&text));
	return 0;
}

static const struct xb_ci_system *find_system(const char *name)
{
	for (size_t i = 0; name != NULL && i < XB_COUNT(systems); i++) {
		if (strcmp(systems[i].name, name) == 0)
			return &systems[i];
	}
	return NULL;
}

int xb_cmd_ci(const struct xb_invocation *invocation, struct xb_error *err)
{
	XB_CLEANUP(work_clear) struct work w = { 0 };
	xb_auto_strv struct xb_strv own = XB_STRV_INIT;
	int r;

	split_words(invocation->argv, &own, &w.rest);
	r = xb_options_parse(ci_table, xb_strv_argv(&own), false, &w.options, &w.operands, err);
	if (r < 0 || w.options.help)
		return r < 0 ? r : print_help();
	w.system = find_system(w.rest.len > 0 ? w.rest.items[0] : NULL);
	if (w.system == NULL)
		return xb_error_usage(err, SYNOPSIS, "which CI system it is for is not said");
	xb_strv_remove(&w.rest, 0);
	return run(&w, invocation, err);
}
