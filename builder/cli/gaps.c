/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/gaps.h"

#include <string.h>

/* Whether there is an image; `out` (may be NULL) gets how it is said. */
static bool look(const struct xb_plan_sources *sources, const struct xb_plan_want *want,
		 struct xb_str *out)
{
	xb_auto_error struct xb_error fault = XB_ERROR_INIT;
	const struct xb_image *image = NULL;
	const char *wanted = xb_platform_name(&want->platform).text;
	int r = sources->image(sources->context, want->name, &want->platform, false, &image,
			       &fault);

	if (out == NULL)
		return r >= 0;
	if (r < 0)
		(void)xb_str_printf(out, "%s %s", wanted,
				    fault.fault == XB_FAULT_PLATFORM ? "missing" : "not known");
	else if (xb_platform_rank(&want->platform, &image->config.platform) != 0)
		(void)xb_str_printf(out, "%s as %s", wanted,
				    xb_platform_name(&image->config.platform).text);
	else
		(void)xb_str_printf(out, "%s there", wanted);
	return r >= 0;
}

/* Whether an earlier one has the same name. */
static bool is_told(const struct xb_plan_wants *wants, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (strcmp(wants->items[i].name, wants->items[index].name) == 0)
			return true;
	}
	return false;
}

/* A line for each base. */
static void tell_bases(const struct xb_plan_sources *sources, const struct xb_plan_wants *wants,
		       struct xb_str *out)
{
	for (size_t i = 0; i < wants->len; i++) {
		const char *name = wants->items[i].name;
		const char *between = ": ";

		if (is_told(wants, i))
			continue;
		(void)xb_str_puts(out, "\n  ");
		(void)xb_str_append_quoted(out, xb_view(name));
		for (size_t k = i; k < wants->len; k++) {
			if (strcmp(wants->items[k].name, name) != 0)
				continue;
			(void)xb_str_puts(out, between);
			(void)look(sources, &wants->items[k], out);
			between = ", ";
		}
	}
}

/* Whether all that is wanted for one of the platforms is there. */
static bool is_whole(const struct xb_plan_request *request, size_t platform)
{
	struct xb_plan_request alone = *request;
	xb_auto_plan_wants struct xb_plan_wants wants = { 0 };
	bool whole = true;

	alone.platforms = &request->platforms[platform];
	alone.platform_count = 1;
	xb_plan_scout(&alone, &wants);
	for (size_t i = 0; whole && i < wants.len; i++)
		whole = look(&request->sources, &wants.items[i], NULL);
	return whole;
}

/* The platforms that can be built, as --platform takes them. */
static void list_whole(const struct xb_plan_request *request, struct xb_str *out)
{
	for (size_t i = 0; i < request->platform_count; i++) {
		if (is_whole(request, i))
			(void)xb_str_printf(out, "%s%s", out->len > 0 ? "," : "",
					    xb_platform_name(&request->platforms[i]).text);
	}
}

void xb_gaps_explain(const struct xb_plan_request *request, const struct xb_plan_wants *wants,
		     struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str whole = XB_STR_INIT(XB_STR_OWN);
	xb_autofree char *hint = NULL;

	if (err == NULL || err->fault != XB_FAULT_PLATFORM || wants->len < 2)
		return;
	(void)xb_str_puts(&text, err->excerpt != NULL ? err->excerpt : "");
	if (text.len > 0 && !xb_view_ends(xb_str_view(&text), XB_VIEW("\n")))
		(void)xb_str_putc(&text, '\n');
	(void)xb_str_puts(&text, "bases:");
	tell_bases(&request->sources, wants, &text);
	(void)xb_error_excerpt(err, "%s", xb_str_text(&text));
	list_whole(request, &whole);
	if (whole.len == 0)
		return;
	hint = XB_STEAL(err->hint);
	(void)xb_error_hint(err, "all is there for --platform %s%s%s", xb_str_text(&whole),
			    hint != NULL ? "; or " : "", hint != NULL ? hint : "");
}
