/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context/filter.h"

#include "builder/context/rules.h"

bool xb_context_has_rules(const struct xb_context *context)
{
	return context != NULL && context->ignore != NULL;
}

enum xb_context_verdict xb_context_both(enum xb_context_verdict a, enum xb_context_verdict b)
{
	if (a == XB_CONTEXT_SKIP || b == XB_CONTEXT_SKIP)
		return XB_CONTEXT_SKIP;
	return a == XB_CONTEXT_DESCEND || b == XB_CONTEXT_DESCEND ? XB_CONTEXT_DESCEND
								  : XB_CONTEXT_TAKE;
}

enum xb_context_verdict xb_context_filter(const void *opaque, const char *path, bool is_dir)
{
	const struct xb_context *context = opaque;
	struct xb_view view = xb_view(path);
	bool is_ignored = true;

	if (!xb_context_has_rules(context) || view.len == 0 || xb_view_is(view, "."))
		return XB_CONTEXT_TAKE;
	if (xb_ignore_match(context->ignore, view, &is_ignored, NULL) < 0)
		return XB_CONTEXT_SKIP;
	if (!is_ignored)
		return XB_CONTEXT_TAKE;
	return is_dir && xb_ignore_may_descend(context->ignore, view) ? XB_CONTEXT_DESCEND
								      : XB_CONTEXT_SKIP;
}
