/* SPDX-License-Identifier: Apache-2.0 */
/* Build twice in different conditions, and say where the results part. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "builder/cli/build_options.h"
#include "builder/cli/command.h"
#include "builder/cli/report.h"
#include "builder/cli/reproduce.h"
#include "manifest/place_layout.h"

#define SYNOPSIS "xbuild reproduce [OPTIONS OF build] PATH"
/* Differences of a layer that are told. */
#define MOST_TOLD 10
/* Times in files are of whole seconds. */
#define BETWEEN_NS 1100000000L

/* The two builds: what is different for the second. */
static const struct {
	const char *name;
	const char *jobs;
	const char *zone;
	const char *locale;
} conditions[] = {
	{ "first", NULL, "UTC", "C" },
	{ "second", "1", "Asia/Kathmandu", "C.UTF-8" },
};

/* A command on its way. */
struct command {
	struct xb_build_options options;
	struct xb_strv operands;
	char *directory; /* of everything, removed at the end */
	struct xb_layout *layouts[2];
	struct xb_layout_place places[2];
	struct xb_descriptors images[2];
	bool json;
};

static void command_clear(struct command *c)
{
	xb_build_options_clear(&c->options);
	xb_strv_clear(&c->operands);
	for (size_t i = 0; i < 2; i++) {
		xb_layout_free(c->layouts[i]);
		xb_descriptors_clear(&c->images[i]);
	}
	if (c->directory != NULL)
		(void)xb_remove_tree_at(AT_FDCWD, c->directory, NULL);
	free(c->directory);
}

/* ---- building ------------------------------------------------------------------------------- */

/* This process's environment, but for what a build is given of its own. */
static void make_environment(size_t number, struct xb_strv *ret)
{
	static const char *const own[] = { "TZ=", "LC_ALL=", "SOURCE_DATE_EPOCH=" };
	const char *epoch = getenv("SOURCE_DATE_EPOCH");

	for (char **pair = environ; *pair != NULL; pair++) {
		bool replaced = false;

		for (size_t i = 0; i < XB_COUNT(own); i++)
			replaced = replaced || strncmp(*pair, own[i], strlen(own[i])) == 0;
		if (!replaced)
			xb_strv_push(ret, *pair);
	}
	xb_strv_printf(ret, "TZ=%s", conditions[number].zone);
	xb_strv_printf(ret, "LC_ALL=%s", conditions[number].locale);
	xb_strv_printf(ret, "SOURCE_DATE_EPOCH=%s", epoch);
}

static void make_arguments(const struct command *c, size_t number, struct xb_strv *ret)
{
	static const char *const without[] = { "root", "jobs", "format", NULL };
	const char *name = conditions[number].name;

	xb_strv_push(ret, "xbuild");
	xb_strv_push(ret, "build");
	xb_options_words(xb_build_option_table, &c->options, without, ret);
	xb_strv_printf(ret, "--root=%s/store-%s", c->directory, name);
	xb_strv_printf(ret, "--output=type=oci,tar=false,dest=%s/%s", c->directory, name);
	if (conditions[number].jobs != NULL)
		xb_strv_printf(ret, "--jobs=%s", conditions[number].jobs);
	xb_strv_push(ret, "--");
	xb_strv_append(ret, &c->operands);
}

static int build(const struct command *c, size_t number, struct xb_error *err)
{
	xb_auto_strv struct xb_strv arguments = XB_STRV_INIT, environment = XB_STRV_INIT;
	const struct xb_proc_fd fds[] = { { STDERR_FILENO, STDERR_FILENO } };
	xb_auto_proc struct xb_proc child = XB_PROC_NONE;
	struct xb_proc_status status;
	struct xb_proc_spec spec = { .path = xb_proc_self_path(), .fds = fds, .fd_count = 1 };
	int r;

	make_arguments(c, number, &arguments);
	make_environment(number, &environment);
	spec.argv = xb_strv_argv(&arguments);
	spec.envp = xb_strv_argv(&environment);
	r = xb_proc_spawn(&spec, &child, err);
	if (r == 0)
		r = xb_proc_wait(&child, &status, err);
	if (r < 0)
		return r;
	if (status.exit_code == 0)
		return 0;
	(void)xb_error_set(err, -EPROTO, "the %s build failed", conditions[number].name);
	return xb_error_fault(err, status.exit_code > 0 ? (enum xb_fault)status.exit_code
							: XB_FAULT_INTERRUPTED);
}

static int open_result(struct command *c, size_t number, struct xb_error *err)
{
	xb_autofree char *path = xb_format("%s/%s", c->directory, conditions[number].name);
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	struct xb_place *place;
	int r = xb_layout_open(path, &c->layouts[number], err);

	if (r < 0)
		return r;
	c->places[number] = xb_layout_place(c->layouts[number]);
	place = &c->places[number].place;
	r = place->ops->resolve(place, NULL, &root, err);
	return r < 0 ? r : xb_image_list(place, &root, &c->images[number], err);
}

/* ---- telling -------------------------------------------------------------------------------- */

static void print_files(const struct xb_differences *found)
{
	for (size_t i = 0; i < found->files.len && i < MOST_TOLD; i++) {
		const struct xb_difference *d = &found->files.items[i];
		const char *cause = xb_divergence_cause(d->name);
		xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);

		(void)xb_str_append_quoted(&name, xb_view(d->name));
		(void)printf("  %s: %s", xb_str_text(&name), xb_differs_name(d->what));
		if (d->first != NULL && d->second != NULL)
			(void)printf(": %s and %s", d->first, d->second);
		(void)printf("\n");
		if (cause != NULL)
			(void)printf("    hint: %s\n", cause);
	}
	if (found->files.len > MOST_TOLD)
		(void)printf("  and %zu more\n", found->files.len - MOST_TOLD);
}

static void print(const struct xb_divergence *d)
{
	const char *platform = xb_platform_name(&d->platform).text;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	if (!d->differs) {
		(void)printf("%s: the same\n", platform);
		return;
	}
	(void)xb_str_append_quoted(&text,
				   xb_view(d->layer == SIZE_MAX ? d->field : d->instruction));
	if (d->layer == SIZE_MAX) {
		(void)printf("%s: the layers are the same, the config is not: %s\n", platform,
			     xb_str_text(&text));
		return;
	}
	(void)printf("%s: layer %zu is the first that differs: %s\n", platform, d->layer + 1,
		     xb_str_text(&text));
	print_files(&d->in_layer);
}

static json_t *describe_files(const struct xb_differences *found)
{
	json_t *list = json_array();

	for (size_t i = 0; i < found->files.len; i++) {
		const struct xb_difference *d = &found->files.items[i];
		xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);
		json_t *object = json_object();

		(void)xb_str_append_quoted(&name, xb_view(d->name));
		xb_json_set_string(object, "path", xb_str_text(&name));
		xb_json_set_string(object, "field", xb_differs_name(d->what));
		if (xb_divergence_cause(d->name) != NULL)
			xb_json_set_string(object, "cause", xb_divergence_cause(d->name));
		(void)json_array_append_new(list, object);
	}
	return list;
}

static json_t *describe(const struct xb_divergence *d)
{
	json_t *object = json_object();
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	xb_json_set_string(object, "platform", xb_platform_name(&d->platform).text);
	xb_json_set_new(object, "same", json_boolean(!d->differs));
	if (d->differs && d->layer != SIZE_MAX) {
		(void)xb_str_append_quoted(&text, xb_view(d->instruction));
		xb_json_set_u64(object, "layer", d->layer + 1);
		xb_json_set_string(object, "instruction", xb_str_text(&text));
		xb_json_set_new(object, "files", describe_files(&d->in_layer));
	} else if (d->differs) {
		(void)xb_str_append_quoted(&text, xb_view(d->field));
		xb_json_set_string(object, "config", xb_str_text(&text));
	}
	return object;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int compare(struct command *c, json_t *list, bool *ret_differs, struct xb_error *err)
{
	xb_auto_fd int scratch = open(c->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct xb_image_source sources[] = {
		{ .place = &c->places[0].place, .scratch = scratch, .digests = true },
		{ .place = &c->places[1].place, .scratch = scratch, .digests = true },
	};
	int r = 0;

	if (scratch < 0)
		return xb_error_errno(err, -errno, "opening %s", c->directory);
	if (c->images[0].len != c->images[1].len)
		return xb_error_set(err, -EPROTO, "one build gave %zu images and the other %zu",
				    c->images[0].len, c->images[1].len);
	for (size_t i = 0; r == 0 && i < c->images[0].len; i++) {
		xb_auto_divergence struct xb_divergence d = { 0 };

		r = xb_divergence_find(&sources[0], &c->images[0].items[i], &sources[1],
				       &c->images[1].items[i], &d, err);
		*ret_differs = *ret_differs || d.differs;
		if (r == 0 && c->json)
			(void)json_array_append_new(list, describe(&d));
		else if (r == 0)
			print(&d);
	}
	return r;
}

static int reproduce(struct command *c, struct xb_error *err)
{
	const struct timespec between = { .tv_sec = BETWEEN_NS / 1000000000L,
					  .tv_nsec = BETWEEN_NS % 1000000000L };
	xb_auto_json json_t *list = json_array();
	bool differs = false;
	int r = build(c, 0, err);

	if (r == 0)
		(void)nanosleep(&between, NULL);
	if (r == 0)
		r = build(c, 1, err);
	for (size_t i = 0; r == 0 && i < 2; i++)
		r = open_result(c, i, err);
	if (r == 0)
		r = compare(c, list, &differs, err);
	if (r == 0 && c->json)
		r = xb_report_json(list, err);
	return r < 0 ? r : differs ? XB_FAULT_PROOF : 0;
}

static int check_options(struct command *c, struct xb_error *err)
{
	const struct xb_build_options *o = &c->options;
	const char *format = o->format;

	if (o->outputs.len > 0 || o->names.len > 0 || o->push || o->load || o->legs.len > 0 ||
	    o->iid_file != NULL || o->metadata_file != NULL || o->cache_to.len > 0)
		return xb_error_usage(err, "leave out what the build is to leave behind",
				      "reproduce keeps nothing of what it builds");
	c->json = format != NULL && strcmp(format, "json") == 0;
	if (format != NULL && !c->json && strcmp(format, "table") != 0)
		return xb_error_usage(err, "--format table or json", "--format %s", format);
	return 0;
}

/* One clock for both: what is made during a build is dated as SOURCE_DATE_EPOCH says. */
static void set_clock(void)
{
	xb_autofree char *now = xb_format("%lld", (long long)xb_clock_now());

	(void)setenv("SOURCE_DATE_EPOCH", now, 0);
}

static int make_directory(struct command *c, struct xb_error *err)
{
	const char *base = getenv("TMPDIR");
	xb_autofree char *name =
		xb_format("%s/xbuild-reproduce-XXXXXX", c->options.root != NULL ? c->options.root
							: base != NULL		? base
										: P_tmpdir);

	if (mkdtemp(name) == NULL)
		return xb_error_errno(err, -errno, "making %s", name);
	c->directory = XB_STEAL(name);
	return 0;
}

int xb_cmd_reproduce(const struct xb_invocation *invocation, struct xb_error *err)
{
	XB_CLEANUP(command_clear) struct command c = { 0 };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int r = xb_options_parse(xb_build_option_table, invocation->argv, false, &c.options,
				 &c.operands, err);

	if (r == 0 && c.options.help) {
		xb_options_help(xb_build_option_table, &text);
		(void)printf("%s\n\n%s", SYNOPSIS, xb_str_text(&text));
		return 0;
	}
	if (r == 0)
		r = check_options(&c, err);
	if (r == 0)
		r = make_directory(&c, err);
	if (r < 0)
		return r;
	set_clock();
	r = reproduce(&c, err);
	if (r < 0)
		(void)xb_error_fault(err, XB_FAULT_STORE);
	return r;
}
