/* SPDX-License-Identifier: Apache-2.0 */
/* Lock files: what was read is written so that it reads as the same, and to the same bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "builder/solve/pins.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int rewrite(struct xb_view text, struct xb_str *ret)
{
	xb_auto_pins struct xb_pins pins = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_pins_parse(text, &pins, &err) < 0) {
		if (err.message == NULL || pins.images.len + pins.fetches.len > 0)
			abort();
		return -1;
	}
	if (xb_pins_write(&pins, ret, NULL) < 0)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	xb_auto_str struct xb_str once = XB_STR_INIT(8 * XB_MAX_PINS);
	xb_auto_str struct xb_str twice = XB_STR_INIT(8 * XB_MAX_PINS);

	if (rewrite((struct xb_view){ (const char *)data, size }, &once) < 0)
		return 0;
	/* spaces and escapes make the written form longer than what was read may be */
	if (once.len > XB_MAX_PINS)
		return 0;
	if (rewrite(xb_str_view(&once), &twice) < 0 ||
	    !xb_view_eq(xb_str_view(&once), xb_str_view(&twice)))
		abort();
	return 0;
}
