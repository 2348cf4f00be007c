/* SPDX-License-Identifier: Apache-2.0 */
/* Image configs: what was read is written so that it reads and writes as the same bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "manifest/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int rewrite(struct xb_view text, struct xb_str *ret)
{
	xb_auto_image_config struct xb_image_config c = XB_IMAGE_CONFIG_INIT;
	xb_auto_image_config struct xb_image_config copy = XB_IMAGE_CONFIG_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_image_config_parse(text, &c, &err) < 0) {
		if (err.message == NULL)
			abort();
		return -1;
	}
	xb_image_config_copy(&copy, &c);
	if (xb_image_config_write(&copy, ret, NULL) < 0)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	xb_auto_str struct xb_str once = XB_STR_INIT(4 * XB_MAX_CONFIG);
	xb_auto_str struct xb_str twice = XB_STR_INIT(4 * XB_MAX_CONFIG);

	if (rewrite((struct xb_view){ (const char *)data, size }, &once) < 0)
		return 0;
	/* escapes make the written form longer than what was read may be */
	if (once.len > XB_MAX_CONFIG)
		return 0;
	if (rewrite(xb_str_view(&once), &twice) < 0)
		abort();
	if (!xb_view_eq(xb_str_view(&once), xb_str_view(&twice)))
		abort();
	return 0;
}
