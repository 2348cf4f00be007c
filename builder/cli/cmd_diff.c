/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between an image's platforms, or between two images. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "builder/cli/command.h"
#include "builder/cli/diff_report.h"
#include "builder/cli/loaded_image.h"
#include "builder/cli/options.h"
#include "builder/cli/platforms.h"
#include "builder/cli/visit.h"
#include "platforms/host.h"

#define SYNOPSIS "xbuild diff [OPTIONS] IMAGE [IMAGE]"

struct diff_options {
	const char *root;
	const char *format;
	struct xb_strv platforms;
	struct xb_registry_flags registries;
	bool detail;
	bool times;
	bool exit_code;
	bool help;
};

#define AT(member) offsetof(struct diff_options, member)

static const struct xb_option option_table[] = {
	{ "detail", 0, XB_OPTION_FLAG, AT(detail), NULL, "all of it, not the first of each kind" },
	{ "exit-code", 0, XB_OPTION_FLAG, AT(exit_code), NULL, "end with status 7 on differences" },
	{ "format", 0, XB_OPTION_TEXT, AT(format), "FORMAT", "table or json" },
	{ "platform", 0, XB_OPTION_LIST, AT(platforms), "PLATFORM", "of these alone" },
	{ "times", 0, XB_OPTION_FLAG, AT(times), NULL, "the times of files count, too" },
	{ "root", 0, XB_OPTION_TEXT, AT(root), "DIR", "the store" },
	XB_REGISTRY_OPTION_ROWS(diff_options, registries),
	{ "help", 'h', XB_OPTION_FLAG, AT(help), NULL, "this text" },
	{ 0 },
};

/* One of the images on the command line. */
struct side {
	struct xb_named_image image;
	struct xb_descriptors members; /* of the platforms that are wanted */
};

/* A command on its way. */
struct command {
	struct diff_options options;
	struct xb_strv names;
	struct xb_visit visit;
	struct xb_platforms platforms;
	struct xb_flags optional;
	struct side sides[2];
	json_t *pairs; /* for --format json */
	bool json;
	bool differs;
};

static void command_clear(struct command *c)
{
	for (size_t i = 0; i < 2; i++) {
		xb_named_image_clear(&c->sides[i].image);
		xb_descriptors_clear(&c->sides[i].members);
	}
	xb_strv_clear(&c->options.platforms);
	xb_registry_flags_clear(&c->options.registries);
	xb_strv_clear(&c->names);
	xb_visit_end(&c->visit);
	xb_array_clear(&c->platforms);
	xb_array_clear(&c->optional);
	json_decref(c->pairs);
}

static int start(const struct xb_invocation *invocation, struct command *c, struct xb_error *err)
{
	const char *format = c->options.format;
	struct xb_platform host;
	int r = 0;

	if (c->names.len < 1 || c->names.len > 2)
		return xb_error_usage(err, SYNOPSIS, "one image or two are to be named");
	c->json = format != NULL && strcmp(format, "json") == 0;
	if (format != NULL && !c->json && strcmp(format, "table") != 0)
		return xb_error_usage(err, "--format table or json", "--format %s", format);
	if (c->options.platforms.len > 0)
		r = xb_platform_host(&host, err);
	if (r == 0 && c->options.platforms.len > 0)
		r = xb_platforms_read(&c->options.platforms, &host, &c->platforms, &c->optional,
				      err);
	return r < 0 ? r
		     : xb_visit_begin(invocation, c->options.root, &c->options.registries,
				      &c->visit, err);
}

static bool is_wanted(const struct command *c, const struct xb_platform *platform)
{
	for (size_t i = 0; i < c->platforms.len; i++)
		if (xb_platform_eq(&c->platforms.items[i], platform))
			return true;
	return c->platforms.len == 0;
}

static int open_side(struct command *c, size_t number, struct xb_error *err)
{
	struct side *side = &c->sides[number];
	xb_auto_descriptors struct xb_descriptors all = { 0 };
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	int r = xb_visit_image(&c->visit, c->names.items[number], &side->image, &root, err);

	if (r == 0)
		r = xb_image_list(side->image.place, &root, &all, err);
	for (size_t i = 0; r == 0 && i < all.len; i++)
		if (is_wanted(c, &all.items[i].platform))
			(void)xb_descriptors_add(&side->members, &all.items[i]);
	return r < 0 ? xb_error_wrap(err, r, "%s", c->names.items[number]) : 0;
}

/* Read an image of side `number`. */
static int load(const struct command *c, size_t number, const struct xb_descriptor *d,
		struct xb_loaded_image *ret, struct xb_error *err)
{
	const struct xb_image_source from = { .place = c->sides[number].image.place,
					      .scratch = xb_store_dirfd(c->visit.store),
					      .digests = true };
	int r = xb_loaded_image_read(&from, d, ret, err);

	return r < 0 ? xb_error_wrap(err, r, "%s", c->names.items[number]) : 0;
}

static void compare(struct command *c, const struct xb_loaded_image *first,
		    const struct xb_loaded_image *second)
{
	const struct xb_compared a = { first->tree, &first->config, &first->platform };
	const struct xb_compared b = { second->tree, &second->config, &second->platform };
	xb_auto_differences struct xb_differences found = { 0 };
	const struct xb_diff_pair pair = {
		{ c->names.items[0], c->names.items[c->names.len - 1] },
		{ &first->platform, &second->platform },
		{ &first->digest, &second->digest },
	};

	xb_differences_find(&a, &b, c->options.times, &found);
	c->differs = c->differs || found.files.len + found.packages.len + found.config.len > 0;
	if (c->json)
		(void)json_array_append_new(c->pairs, xb_diff_report_json(&pair, &found));
	else
		xb_diff_report_print(&pair, &found, c->options.detail, stdout);
}

/* The platforms of one image: each against the first. */
static int compare_platforms(struct command *c, struct xb_error *err)
{
	const struct xb_descriptors *members = &c->sides[0].members;
	xb_auto_loaded_image struct xb_loaded_image first = { 0 };
	int r;

	if (members->len < 2)
		return xb_error_usage(err, "name another image to compare it with",
				      "%s has %zu platform%s", c->names.items[0], members->len,
				      members->len == 1 ? "" : "s that are wanted");
	r = load(c, 0, &members->items[0], &first, err);
	for (size_t i = 1; r == 0 && i < members->len; i++) {
		xb_auto_loaded_image struct xb_loaded_image other = { 0 };

		r = load(c, 0, &members->items[i], &other, err);
		if (r == 0)
			compare(c, &first, &other);
	}
	return r;
}

static const struct xb_descriptor *find_platform(const struct xb_descriptors *members,
						 const struct xb_platform *platform)
{
	for (size_t i = 0; i < members->len; i++)
		if (xb_platform_eq(&members->items[i].platform, platform))
			return &members->items[i];
	return NULL;
}

static int compare_pair(struct command *c, const struct xb_descriptor *a,
			const struct xb_descriptor *b, struct xb_error *err)
{
	xb_auto_loaded_image struct xb_loaded_image first = { 0 }, second = { 0 };
	int r = load(c, 0, a, &first, err);

	if (r == 0)
		r = load(c, 1, b, &second, err);
	if (r == 0)
		compare(c, &first, &second);
	return r;
}

/* Platforms that only one of two images has. */
static void tell_alone(struct command *c, size_t number)
{
	const struct xb_descriptors *own = &c->sides[number].members;
	const struct xb_descriptors *others = &c->sides[1 - number].members;

	for (size_t i = 0; i < own->len; i++) {
		if (find_platform(others, &own->items[i].platform) != NULL)
			continue;
		c->differs = true;
		if (c->json)
			(void)json_array_append_new(c->pairs,
						    xb_diff_report_alone(c->names.items[number],
									 &own->items[i].platform));
		else
			(void)printf("%s: only %s has it\n",
				     xb_platform_name(&own->items[i].platform).text,
				     c->names.items[number]);
	}
}

static int compare_images(struct command *c, struct xb_error *err)
{
	const struct xb_descriptors *a = &c->sides[0].members, *b = &c->sides[1].members;
	int r = 0;

	if (a->len == 1 && b->len == 1)
		return compare_pair(c, &a->items[0], &b->items[0], err);
	for (size_t i = 0; r == 0 && i < a->len; i++) {
		const struct xb_descriptor *other = find_platform(b, &a->items[i].platform);

		/* the same manifest is the same image */
		if (other != NULL && !xb_digest_eq(&other->digest, &a->items[i].digest))
			r = compare_pair(c, &a->items[i], other, err);
		else if (other != NULL && !c->json)
			(void)printf("%s: the same image %s\n",
				     xb_platform_name(&other->platform).text, other->digest.text);
	}
	tell_alone(c, 0);
	tell_alone(c, 1);
	return r;
}

static int print_json(const struct command *c, struct xb_error *err)
{
	xb_auto_json json_t *object = json_object();
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int r;

	xb_json_set_new(object, "differs", json_boolean(c->differs));
	xb_json_set_new(object, "pairs", json_incref(c->pairs));
	r = xb_json_write(object, &text, err);
	if (r == 0)
		(void)printf("%s\n", xb_str_text(&text));
	return r;
}

static int diff(struct command *c, struct xb_error *err)
{
	int r = open_side(c, 0, err);

	c->pairs = json_array();
	if (r == 0 && c->names.len == 2)
		r = open_side(c, 1, err);
	if (r == 0)
		r = c->names.len == 2 ? compare_images(c, err) : compare_platforms(c, err);
	if (r == 0 && c->json)
		r = print_json(c, err);
	return r < 0 ? r : c->differs && c->options.exit_code ? XB_FAULT_PROOF : 0;
}

int xb_cmd_diff(const struct xb_invocation *invocation, struct xb_error *err)
{
	XB_CLEANUP(command_clear) struct command c = { 0 };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int r = xb_options_parse(option_table, invocation->argv, false, &c.options, &c.names, err);

	if (r == 0 && c.options.help) {
		xb_options_help(option_table, &text);
		(void)printf("%s\n\n%s", SYNOPSIS, xb_str_text(&text));
		return 0;
	}
	if (r == 0)
		r = start(invocation, &c, err);
	if (r == 0)
		r = diff(&c, err);
	/* what is wrong with an image is of the place that has it; a registry's says so itself */
	if (r < 0)
		(void)xb_error_fault(err, XB_FAULT_STORE);
	return r;
}
