/* SPDX-License-Identifier: Apache-2.0 */
/* What a confined child that was taken over may answer. */
#include <stdint.h>

#include "builder/layer/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xb_wire_answer answer = { 0 };
	struct xb_view bytes = { (const char *)data, size };

	if (xb_wire_decode(bytes, &answer, NULL) < 0)
		return 0;
	if (answer.code < 0 && answer.error.message == NULL)
		__builtin_trap();
	for (size_t i = 0; i < answer.warnings.len; i++)
		for (const char *p = answer.warnings.items[i]; *p != '\0'; p++)
			if ((unsigned char)*p < ' ')
				__builtin_trap();
	xb_wire_answer_clear(&answer);
	return 0;
}
