/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/source.h"

#include "base/str.h"
#include "builder/dockerfile/giturl.h"

static int form_of(const char *source, bool local_like, enum xb_source_form *ret,
		   struct xb_error *err)
{
	xb_auto_git_url struct xb_git_url url = { 0 };
	struct xb_view view = xb_view(source);
	bool http = xb_view_starts(view, XB_VIEW("http://")) ||
		    xb_view_starts(view, XB_VIEW("https://"));
	int r = xb_git_url_parse(source, &url, err);

	if (r < 0)
		return r;
	if (r > 0 && (local_like || !url.local_like))
		*ret = XB_FORM_GIT;
	else
		*ret = http ? XB_FORM_FILE : XB_FORM_PATH;
	return 0;
}

int xb_source_form_of(const char *source, enum xb_source_form *ret, struct xb_error *err)
{
	return form_of(source, false, ret, err);
}

int xb_source_context_form(const char *source, enum xb_source_form *ret, struct xb_error *err)
{
	return form_of(source, true, ret, err);
}
