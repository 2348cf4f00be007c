/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/cache_limit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "builder/cache/limit.h"

int xb_cache_limit_read(const char *option, uint64_t *ret, struct xb_error *err)
{
	const char *name = option != NULL ? "--cache-limit" : "$XBUILD_CACHE_LIMIT";
	const char *text = option != NULL ? option : getenv("XBUILD_CACHE_LIMIT");

	*ret = 0;
	if (text == NULL || *text == '\0')
		return 0;
	if (strcmp(text, "none") == 0) {
		*ret = XB_LIMIT_NONE;
		return 0;
	}
	if (xb_size_parse(xb_view(text), ret) >= 0 && *ret > 0)
		return 0;
	(void)xb_error_set(err, -EINVAL, "%s %s is not a size", name, text);
	(void)xb_error_hint(err, "as in 20G, or none");
	return xb_error_fault(err, XB_FAULT_USAGE);
}
