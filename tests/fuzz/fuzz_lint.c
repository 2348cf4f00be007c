/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of any Dockerfile: the first line of the input is the options of the check, a target and
 * a build argument with blanks between them, the second a pattern of an ignore file, the rest the
 * file. Findings are in order and point into it, the same each time; rules switched off say
 * nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/dockerfile/lint.h"
#include "builder/dockerfile/location.h"
#include "builder/dockerfile/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_name(const char *name)
{
	return strchr(name, ':') == NULL;
}

/* An image that the input itself makes up: its name is a variable and a trigger. */
static bool image(void *context, const char *name, const struct xb_platform *platform,
		  struct xb_lint_image *ret)
{
	struct xb_strv *made = context;

	if (name[0] != 'i')
		return false;
	xb_strv_clear(made);
	xb_strv_printf(made, "%s=ARG %s", name, name);
	*ret = (struct xb_lint_image){ .env = made, .platform = platform, .shell = name[1] == 's' };
	return true;
}

static void check(const struct xb_lint_request *request, const struct xb_lint *lint)
{
	uint32_t before = 0;

	for (size_t i = 0; i < lint->findings.len; i++) {
		const struct xb_finding *f = &lint->findings.items[i];

		if (f->rule >= XB_RULE_COUNT || f->detail[0] == '\0' || f->first_line < before ||
		    f->first_line == 0 || f->last_line < f->first_line || f->at.column == 0 ||
		    !xb_rule_set_has(&request->rules, f->rule))
			abort();
		/* a file's lines take time to count */
		if (i < 16 && xb_location_line(request->dockerfile, f->at.line).data == NULL)
			abort();
		before = f->first_line;
	}
}

static void run(const struct xb_lint_request *request)
{
	xb_auto_lint struct xb_lint first = { 0 }, second = { 0 };
	xb_auto_outline struct xb_outline outline = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int r = xb_lint_outline(request, &first, &outline, &err);

	if (r < 0 && (err.message == NULL || err.fault != XB_FAULT_SOURCE))
		abort();
	if (xb_lint(request, &second, NULL) != r || first.findings.len != second.findings.len)
		abort();
	check(request, &first);
}

static char *word(struct xb_view *rest)
{
	struct xb_view text;

	return xb_view_split(rest, ' ', &text) ? xb_view_dup(text) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xb_view rest = { (const char *)data, size }, head = { 0 }, pattern = { 0 };
	xb_auto_error struct xb_error problem = XB_ERROR_INIT;
	xb_auto_dockerfile struct xb_dockerfile *file = NULL;
	xb_auto_ignore struct xb_ignore *ignore = NULL;
	xb_auto_strv struct xb_strv args = XB_STRV_INIT, made = XB_STRV_INIT;
	xb_autofree char *options = NULL, *target = NULL, *arg = NULL;
	struct xb_lint_request request = {
		.platform = { .os = "linux", .arch = "amd64" },
		.automatic = &args,
		.build_args = &args,
		.world = { .context = &made, .is_name = is_name, .image = image }
	};

	(void)xb_view_split(&rest, '\n', &head);
	(void)xb_view_split(&rest, '\n', &pattern);
	options = word(&head);
	target = word(&head);
	arg = word(&head);
	if (xb_rule_set_parse(xb_view(options), &request.rules, NULL, &problem) < 0)
		xb_error_clear(&problem);
	if (xb_ignore_parse(pattern, "ignore", &ignore, NULL) == 0)
		request.ignore = ignore;
	if (arg != NULL && arg[0] != '\0')
		xb_strv_push(&args, arg);
	request.target = target;
	request.all_stages = target == NULL;
	file = xb_dockerfile_parse_part(rest, "Dockerfile", &problem);
	request.dockerfile = file;
	run(&request);
	return 0;
}
