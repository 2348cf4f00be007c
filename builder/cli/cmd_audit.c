/* SPDX-License-Identifier: Apache-2.0 */
/* Whether everything in an image is for its platform. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "builder/cli/audit.h"
#include "builder/cli/command.h"
#include "builder/cli/options.h"
#include "builder/cli/visit.h"
#include "platforms/host.h"

#define SYNOPSIS "xbuild audit [OPTIONS] IMAGE"

struct audit_options {
	const char *root;
	const char *format;
	const char *allow;
	struct xb_strv platforms;
	struct xb_registry_flags registries;
	bool all;
	bool help;
};

#define AT(member) offsetof(struct audit_options, member)

static const struct xb_option option_table[] = {
	{ "all", 'a', XB_OPTION_FLAG, AT(all), NULL, "notes too, in a table" },
	{ "allow", 0, XB_OPTION_TEXT, AT(allow), "FILE", "what is known and wanted" },
	{ "format", 0, XB_OPTION_TEXT, AT(format), "FORMAT", "table, json or sarif" },
	{ "platform", 0, XB_OPTION_LIST, AT(platforms), "PLATFORM", "of these alone" },
	{ "root", 0, XB_OPTION_TEXT, AT(root), "DIR", "the store" },
	XB_REGISTRY_OPTION_ROWS(audit_options, registries),
	{ "help", 'h', XB_OPTION_FLAG, AT(help), NULL, "this text" },
	{ 0 },
};

/* A command on its way. */
struct command {
	struct audit_options options;
	struct xb_strv names;
	struct xb_visit visit;
	struct xb_platforms platforms;
	struct xb_flags optional;
	struct xb_str allow;
};

static void command_clear(struct command *c)
{
	xb_strv_clear(&c->options.platforms);
	xb_registry_flags_clear(&c->options.registries);
	xb_strv_clear(&c->names);
	xb_visit_end(&c->visit);
	xb_array_clear(&c->platforms);
	xb_array_clear(&c->optional);
	xb_str_clear(&c->allow);
}

static bool is_format(const char *format, const char *name)
{
	return format != NULL && strcmp(format, name) == 0;
}

static int check_options(struct command *c, struct xb_error *err)
{
	const char *format = c->options.format;
	struct xb_platform host;
	int r = 0;

	if (c->names.len != 1)
		return xb_error_usage(err, SYNOPSIS, "one image is to be named");
	if (format != NULL && !is_format(format, "table") && !is_format(format, "json") &&
	    !is_format(format, "sarif"))
		return xb_error_usage(err, "--format table, json or sarif", "--format %s", format);
	if (c->options.platforms.len > 0)
		r = xb_platform_host(&host, err);
	if (r == 0 && c->options.platforms.len > 0)
		r = xb_platforms_read(&c->options.platforms, &host, &c->platforms, &c->optional,
				      err);
	if (r == 0 && c->options.allow != NULL) {
		r = xb_file_read(c->options.allow, &c->allow, err);
		if (r < 0)
			(void)xb_error_fault(err, XB_FAULT_USAGE);
	}
	return r < 0 ? r : 0;
}

static int print(const struct command *c, const struct xb_audits *audits, struct xb_error *err)
{
	const char *name = c->names.items[0];

	if (is_format(c->options.format, "json"))
		return xb_audits_print_json(audits, name, stdout, err);
	if (is_format(c->options.format, "sarif"))
		return xb_audits_print_sarif(audits, name, stdout, err);
	xb_audits_print(audits, c->options.all ? XB_AUDIT_NOTE : XB_AUDIT_WARNING, stdout);
	return 0;
}

static int audit(struct command *c, struct xb_error *err)
{
	xb_auto_named_image struct xb_named_image image = { 0 };
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	xb_auto_audits struct xb_audits audits = { 0 };
	int r = xb_visit_image(&c->visit, c->names.items[0], &image, &root, err);
	const struct xb_audit_request request = {
		.from = { .place = image.place, .scratch = xb_store_dirfd(c->visit.store) },
		.platforms = &c->platforms,
		.allow = c->options.allow != NULL ? xb_str_text(&c->allow) : NULL,
		.allow_name = c->options.allow,
	};

	if (r == 0)
		r = xb_audits_make(&request, &root, &audits, err);
	if (r == 0)
		r = print(c, &audits, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s", c->names.items[0]);
	return xb_audits_count(&audits, XB_AUDIT_ERROR) > 0 ? XB_FAULT_PROOF : 0;
}

int xb_cmd_audit(const struct xb_invocation *invocation, struct xb_error *err)
{
	XB_CLEANUP(command_clear) struct command c = { .allow = XB_STR_INIT(XB_MAX_AUDIT_ALLOW) };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int r = xb_options_parse(option_table, invocation->argv, false, &c.options, &c.names, err);

	if (r == 0 && c.options.help) {
		xb_options_help(option_table, &text);
		(void)printf("%s\n\n%s", SYNOPSIS, xb_str_text(&text));
		return 0;
	}
	if (r == 0)
		r = check_options(&c, err);
	if (r == 0)
		r = xb_visit_begin(invocation, c.options.root, &c.options.registries, &c.visit,
				   err);
	if (r == 0)
		r = audit(&c, err);
	/* what is wrong with an image is of the place that has it; a registry's says so itself */
	if (r < 0)
		(void)xb_error_fault(err, XB_FAULT_STORE);
	return r;
}
