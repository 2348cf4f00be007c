/* SPDX-License-Identifier: Apache-2.0 */
/* What works on this machine, what does not, and what would change it; or whether an image is what
 * it says. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "builder/cli/checkup.h"
#include "builder/cli/command.h"
#include "builder/cli/image_doctor.h"
#include "builder/cli/options.h"
#include "builder/cli/report.h"
#include "builder/cli/visit.h"

#define NS_PER_MS 1e6

struct doctor_options {
	struct xb_strv emulators;
	const char *format;
	const char *root;
	struct xb_registry_flags registries;
	bool deep;
	bool help;
};

#define AT(member) offsetof(struct doctor_options, member)

static const struct xb_option option_table[] = {
	{ "deep", 0, XB_OPTION_FLAG, AT(deep), NULL, "of an image, look at its files, too" },
	{ "emulator", 0, XB_OPTION_LIST, AT(emulators), "PLATFORM=PATH", "emulator to try" },
	{ "format", 0, XB_OPTION_TEXT, AT(format), "FORMAT", "table or json" },
	{ "root", 0, XB_OPTION_TEXT, AT(root), "DIR", "the store" },
	XB_REGISTRY_OPTION_ROWS(doctor_options, registries),
	{ "help", 'h', XB_OPTION_FLAG, AT(help), NULL, "this text" },
	{ 0 },
};

static void options_clear(struct doctor_options *options)
{
	xb_strv_clear(&options->emulators);
	xb_registry_flags_clear(&options->registries);
}

static void print_check(const struct xb_checked *check)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_append_quoted(&text, xb_view(check->text));
	if (check->nanoseconds > 0)
		(void)xb_str_printf(&text, "; ran in %.0f ms",
				    (double)check->nanoseconds / NS_PER_MS);
	(void)printf("%-8s %-15s %s\n", xb_condition_name(check->condition), check->name,
		     xb_str_text(&text));
	if (check->hint == NULL)
		return;
	xb_str_reset(&text);
	(void)xb_str_append_quoted(&text, xb_view(check->hint));
	(void)printf("%-24s hint: %s\n", "", xb_str_text(&text));
}

static json_t *describe(const struct xb_checked *check)
{
	json_t *object = json_object();

	xb_json_set_string(object, check->platform ? "platform" : "name", check->name);
	xb_json_set_string(object, "condition", xb_condition_name(check->condition));
	xb_json_set_string(object, "text", check->text);
	if (check->hint != NULL)
		xb_json_set_string(object, "hint", check->hint);
	if (check->nanoseconds > 0)
		(void)json_object_set_new(object, "nanoseconds",
					  json_integer((json_int_t)check->nanoseconds));
	return object;
}

static int print_json(const struct xb_checkup *checkup, struct xb_error *err)
{
	xb_auto_json json_t *object = json_object();
	json_t *machine = json_array();
	json_t *platforms = json_array();

	xb_json_set_string(object, "version", XB_VERSION);
	(void)json_object_set_new(object, "works", json_boolean(checkup->works));
	(void)json_object_set_new(object, "machine", machine);
	(void)json_object_set_new(object, "platforms", platforms);
	for (size_t i = 0; i < checkup->checks.len; i++) {
		const struct xb_checked *check = &checkup->checks.items[i];

		(void)json_array_append_new(check->platform ? platforms : machine, describe(check));
	}
	return xb_report_json(object, err);
}

static int print(const struct doctor_options *options, const struct xb_checkup *checkup,
		 struct xb_error *err)
{
	if (options->format != NULL && strcmp(options->format, "json") == 0)
		return print_json(checkup, err);
	for (size_t i = 0; i < checkup->checks.len; i++)
		print_check(&checkup->checks.items[i]);
	return 0;
}

static int usage(struct xb_error *err, const char *what)
{
	(void)xb_error_set(err, -EINVAL, "%s", what);
	(void)xb_error_hint(err, "xbuild doctor [--format json] [IMAGE]");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

static int read_options(const struct xb_invocation *invocation, struct doctor_options *options,
			struct xb_strv *operands, struct xb_error *err)
{
	int r = xb_options_parse(option_table, invocation->argv, false, options, operands, err);

	if (r < 0)
		return r;
	if (operands->len > 1)
		return usage(err, "doctor examines this machine, or one image");
	if (options->deep && operands->len == 0)
		return usage(err, "--deep is for an image");
	if (options->format != NULL && strcmp(options->format, "json") != 0 &&
	    strcmp(options->format, "table") != 0)
		return usage(err, "--format takes table or json");
	for (size_t i = 0; r == 0 && i < options->emulators.len; i++)
		r = xb_emulator_check_override(options->emulators.items[i], err);
	return r;
}

static int examine_machine(const struct xb_invocation *invocation,
			   const struct doctor_options *options, struct xb_error *err)
{
	const struct xb_strategy_options strategy = { .emulators.overrides = &options->emulators };
	struct xb_checkup_request request = { .strategy = &strategy };
	xb_auto_checkup struct xb_checkup checkup = { 0 };
	int r;

	request.root = options->root != NULL ? options->root : invocation->default_root;
	r = xb_checkup_run(&request, &checkup, err);
	if (r == 0)
		r = print(options, &checkup, err);
	if (r < 0)
		return r;
	return checkup.works ? 0 : XB_FAULT_PLATFORM;
}

/* What is open for an image. */
struct surgery {
	struct xb_visit visit;
	struct xb_named_image image;
};

static void surgery_clear(struct surgery *s)
{
	xb_named_image_clear(&s->image);
	xb_visit_end(&s->visit);
}

static int examine_image(const struct xb_invocation *invocation,
			 const struct doctor_options *options, const char *name,
			 struct xb_error *err)
{
	XB_CLEANUP(surgery_clear) struct surgery s = { 0 };
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	xb_auto_diagnosis struct xb_diagnosis diagnosis = { 0 };
	struct xb_image_source from;
	int r = xb_visit_begin(invocation, options->root, &options->registries, &s.visit, err);

	if (r == 0)
		r = xb_visit_image(&s.visit, name, &s.image, &root, err);
	from = (struct xb_image_source){ .place = s.image.place };
	if (r == 0)
		from.scratch = xb_store_dirfd(s.visit.store);
	if (r == 0)
		r = xb_diagnosis_make(&from, &root, options->deep, &diagnosis, err);
	if (r == 0 && options->format != NULL && strcmp(options->format, "json") == 0)
		r = xb_diagnosis_print_json(&diagnosis, name, &root, stdout, err);
	else if (r == 0)
		xb_diagnosis_print(&diagnosis, name, &root, stdout);
	if (r < 0)
		return xb_error_fault(err, XB_FAULT_STORE);
	return xb_diagnosis_count(&diagnosis, XB_AUDIT_ERROR) > 0 ? XB_FAULT_PROOF : 0;
}

int xb_cmd_doctor(const struct xb_invocation *invocation, struct xb_error *err)
{
	XB_CLEANUP(options_clear) struct doctor_options options = { 0 };
	xb_auto_strv struct xb_strv operands = XB_STRV_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int r = read_options(invocation, &options, &operands, err);

	if (r < 0)
		return r;
	if (options.help) {
		xb_options_help(option_table, &text);
		(void)printf(
			"xbuild doctor [OPTIONS] [IMAGE]\n\nTry what builds need of this "
			"machine, and a program of each platform; or see whether an image is what "
			"it says.\n\n%s",
			xb_str_text(&text));
		return 0;
	}
	return operands.len > 0 ? examine_image(invocation, &options, operands.items[0], err)
				: examine_machine(invocation, &options, err);
}
