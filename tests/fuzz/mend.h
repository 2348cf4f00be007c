/* SPDX-License-Identifier: Apache-2.0 */
/** Headers of tars with the checksum that they need, as chance never would make it. */
#ifndef XB_TESTS_FUZZ_MEND_H
#define XB_TESTS_FUZZ_MEND_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "builder/layer/tarread.h"

/** Give every block that has the magic of a header its checksum. */
static inline void mend(uint8_t *data, size_t size)
{
	for (size_t at = 0; at + XB_TAR_BLOCK <= size; at += XB_TAR_BLOCK) {
		uint8_t *block = data + at;
		char digits[8];
		unsigned sum = 0;

		if (memcmp(block + 257, "ustar", 5) != 0)
			continue;
		memset(block + 148, ' ', 8);
		for (size_t i = 0; i < XB_TAR_BLOCK; i++)
			sum += block[i];
		(void)snprintf(digits, sizeof(digits), "%06o", sum & 0777777);
		memcpy(block + 148, digits, 7);
	}
}

#endif
