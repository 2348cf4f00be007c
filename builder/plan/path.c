/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/path.h"

#include "base/array.h"

/* Fold the components of one path into `parts`. */
static void walk(struct xb_strv *parts, const char *path)
{
	struct xb_view rest = xb_view(path);
	struct xb_view part;

	while (xb_view_split(&rest, '/', &part)) {
		if (part.len == 0 || xb_view_is(part, "."))
			continue;
		if (!xb_view_is(part, ".."))
			xb_strv_push_view(parts, part);
		else if (parts->len > 0)
			xb_strv_remove(parts, parts->len - 1);
	}
}

char *xb_plan_path(const char *base, const char *path)
{
	xb_auto_strv struct xb_strv parts = XB_STRV_INIT;
	xb_autofree char *joined = NULL;

	if (path[0] != '/')
		walk(&parts, base);
	walk(&parts, path);
	joined = xb_strv_join(&parts, "/");
	return xb_format("/%s", joined);
}

char *xb_plan_destination(const char *base, const char *path)
{
	xb_autofree char *clean = xb_plan_path(base, path);
	struct xb_view view = xb_view(path);
	bool directory = xb_view_ends(view, XB_VIEW("/")) || xb_view_ends(view, XB_VIEW("/.")) ||
			 xb_view_is(view, ".") || view.len == 0;

	if (!directory || xb_view_is(xb_view(clean), "/"))
		return XB_STEAL(clean);
	return xb_format("%s/", clean);
}
