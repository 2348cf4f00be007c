/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/ci_head.h"

static void tell_leg(const struct xb_ci_leg *leg, struct xb_yaml *y)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_printf(&text, "  %s:", leg->name);
	for (size_t i = 0; i < leg->platforms.len; i++)
		(void)xb_str_printf(&text, "%s %s (%s)", i > 0 ? "," : "",
				    xb_platform_name(&leg->platforms.items[i].platform).text,
				    xb_ci_how_name(leg->platforms.items[i].how));
	xb_yaml_comment(y, xb_str_text(&text));
}

static void tell_shared(const struct xb_ci_legs *legs, struct xb_yaml *y)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	if (legs->shared_count == 0)
		return;
	(void)xb_str_puts(&text, "Stages that several legs build, each for itself:");
	for (size_t i = 0; i < legs->shared_count; i++)
		(void)xb_str_printf(&text, "%s %s (%zu step%s)", i > 0 ? "," : "",
				    legs->shared[i].stage, legs->shared[i].steps,
				    legs->shared[i].steps == 1 ? "" : "s");
	xb_yaml_comment(y, xb_str_text(&text));
}

void xb_ci_write_head(const struct xb_ci *ci, const char *system, struct xb_yaml *y)
{
	xb_autofree char *line = xb_format("Written by `xbuild ci %s`. Legs:", system);

	xb_yaml_comment(y, line);
	for (size_t i = 0; i < ci->legs->len; i++)
		tell_leg(&ci->legs->items[i], y);
	tell_shared(ci->legs, y);
}
