/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "builder/cli/check.h"
#include "builder/cli/request.h"

static int print_help(void)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	xb_options_help(xb_build_option_table, &text);
	(void)printf("xbuild plan [OPTIONS] PATH\n\n"
		     "Show what a build would run, where and why, without running it.\n\n%s",
		     xb_str_text(&text));
	return 0;
}

int xb_cmd_plan(const struct xb_invocation *invocation, struct xb_error *err)
{
	xb_auto_build_request struct xb_build_request request = { 0 };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_check struct xb_check check = { 0 };
	const char *format;
	int r = xb_build_request_read(invocation, &request, err);

	if (r < 0)
		return r;
	if (request.options.help)
		return print_help();
	format = request.options.format != NULL ? request.options.format : "table";
	if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0) {
		(void)xb_error_set(err, -EINVAL, "--format %s is not known", format);
		(void)xb_error_hint(err, "use table or json");
		return xb_error_fault(err, XB_FAULT_USAGE);
	}
	r = xb_build_request_plan(invocation, &request, err);
	if (r < 0)
		return r;
	if (strcmp(format, "json") == 0) {
		xb_auto_json json_t *plan = xb_plan_to_json(request.plan);

		r = xb_json_write_pretty(plan, &text, err);
	} else {
		xb_plan_print(request.plan, &text);
		r = xb_check_run(&request, false, &check, NULL, err);
		xb_check_report(&request, &check, XB_PROGRESS_PLAIN);
	}
	(void)fputs(xb_str_text(&text), stdout);
	return r;
}
