/* SPDX-License-Identifier: Apache-2.0 */
/* Settings in TOML: what is read can be written as JSON, what is refused says in which line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/registry/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_json json_t *value = NULL;
	int r;

	if (size > 64 << 10)
		return 0;
	r = xb_toml_parse((struct xb_view){ (const char *)data, size }, &value, &err);
	if (r < 0 ? value != NULL || strncmp(err.message, "line ", 5) != 0
		  : xb_json_write(value, &text, NULL) < 0)
		abort();
	return 0;
}
