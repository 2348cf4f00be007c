/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/glob.h"

#include <errno.h>
#include <string.h>

#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/wildcard.h"

bool xb_glob_has_wildcard(const char *pattern)
{
	for (; *pattern != 0; pattern++) {
		if (*pattern == '\\' && pattern[1] != 0)
			pattern++;
		else if (*pattern == '*' || *pattern == '?' || *pattern == '[')
			return true;
	}
	return false;
}

int xb_glob_match(const char *pattern, const char *name, bool *ret, struct xb_error *err)
{
	XB_CLEANUP(xb_wild_clear) struct xb_wild wild = { 0 };
	struct xb_view path = xb_view(name);
	int r = xb_wild_compile(xb_view(pattern), false, &wild, err);

	if (r < 0)
		return xb_error_fault(err, XB_FAULT_SOURCE), r;
	*ret = path.len <= XB_MAX_PATTERN && xb_wild_match(&wild, path, XB_WILD_WHOLE) != 0;
	return 0;
}

void xb_glob_unescape(const char *pattern, struct xb_str *out)
{
	for (; *pattern != 0; pattern++) {
		if (*pattern == '\\' && pattern[1] != 0)
			pattern++;
		(void)xb_str_putc(out, *pattern);
	}
}
