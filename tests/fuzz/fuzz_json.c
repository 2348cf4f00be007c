/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what was read is written, and what was written reads as the same. */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xb_view text = { (const char *)data, size };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_str struct xb_str written = XB_STR_INIT((size_t)1 << 24);
	xb_auto_json json_t *value = NULL;
	xb_auto_json json_t *again = NULL;

	if (xb_json_parse(text, (size_t)1 << 20, &value, &err) < 0)
		return 0;
	if (xb_json_write(value, &written, &err) < 0)
		abort();
	if (xb_json_parse(xb_str_view(&written), SIZE_MAX, &again, &err) < 0)
		abort();
	if (!json_equal(value, again))
		abort();
	return 0;
}
