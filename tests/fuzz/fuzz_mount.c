/* SPDX-License-Identifier: Apache-2.0 */
/* The value of RUN --mount. What is refused says why, and both readers find the same source. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/dockerfile/mount.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lookup(void *ctx, struct xb_view name, const char **ret_value)
{
	(void)ctx;
	*ret_value = "cache";
	return xb_view_is(name, "A");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct xb_expand_env env = { .lookup = lookup, .escape = '\\' };
	xb_autofree char *text = xb_view_dup((struct xb_view){ (const char *)data, size });
	xb_autofree char *from = NULL;
	xb_auto_mount struct xb_mount mount = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (size > 0 && memchr(data, 0, size) != NULL)
		return 0;
	from = xb_mount_from(text);
	if (xb_mount_parse(text, &env, &mount, &err) < 0) {
		if (err.message == NULL || err.fault != XB_FAULT_SOURCE)
			abort();
		return 0;
	}
	if ((from == NULL) != (mount.from == NULL) ||
	    (from != NULL && strcmp(from, mount.from) != 0))
		abort();
	return 0;
}
