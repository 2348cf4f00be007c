/* SPDX-License-Identifier: Apache-2.0 */
/* A step's specification: what decodes encodes to the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/sandbox/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xb_view bytes = { (const char *)data, size };
	xb_auto_sandbox_spec struct xb_sandbox_spec spec = { 0 };
	xb_auto_str struct xb_str again = XB_STR_INIT(XB_MAX_SANDBOX_SPEC);

	if (xb_sandbox_spec_decode(bytes, &spec, NULL) < 0)
		return 0;
	if (xb_sandbox_spec_encode(&spec, &again) < 0 || !xb_view_eq(xb_str_view(&again), bytes))
		abort();
	return 0;
}
