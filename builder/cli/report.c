/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/report.h"

#include <errno.h>
#include <stdio.h>

#include "base/str.h"
#include "base/url.h"

/* Lines stay lines; within a line nothing reaches the terminal but text, and no credentials. */
static void print_lines(const char *indent, const char *text)
{
	struct xb_view rest = xb_view(text);
	struct xb_view line;

	while (xb_view_split(&rest, '\n', &line)) {
		xb_auto_str struct xb_str masked = XB_STR_INIT(XB_STR_OWN);
		xb_auto_str struct xb_str safe = XB_STR_INIT(XB_STR_OWN);

		xb_url_append_masked(&masked, line);
		(void)xb_str_append_quoted(&safe, xb_str_view(&masked));
		(void)fprintf(stderr, "%s%s\n", indent, xb_str_text(&safe));
	}
}

void xb_report_error(const struct xb_error *err)
{
	(void)fflush(stdout);
	print_lines("xbuild: error: ", err->message != NULL ? err->message : "unknown error");
	if (err->excerpt != NULL)
		print_lines("  ", err->excerpt);
	if (err->hint != NULL)
		print_lines("hint: ", err->hint);
}

void xb_report_warning(const char *text)
{
	print_lines("xbuild: warning: ", text);
}

/* What the machine has no more of is not the fault of what was being read just then. */
static bool is_machine(const struct xb_error *err)
{
	return (err->fault == XB_FAULT_USAGE || err->fault == XB_FAULT_SOURCE) &&
	       (err->code == -EMFILE || err->code == -ENFILE || err->code == -ENOMEM);
}

int xb_report_status(const struct xb_error *err)
{
	if (is_machine(err))
		return XB_FAULT_INTERNAL;
	return err->fault == XB_FAULT_NONE ? XB_FAULT_INTERNAL : (int)err->fault;
}

int xb_report_json(const json_t *value, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int r = xb_json_write_pretty(value, &text, err);

	if (r >= 0)
		(void)fputs(xb_str_text(&text), stdout);
	return r;
}
