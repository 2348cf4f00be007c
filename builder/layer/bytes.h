/* SPDX-License-Identifier: Apache-2.0 */
/** Little-endian numbers of records, and taking a text apart; for the modules of this directory. */
#ifndef XB_BUILDER_LAYER_BYTES_H
#define XB_BUILDER_LAYER_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/** Write the low `size` bytes of `value` at `at` of a record. */
static inline void xb_bytes_put(char *record, int at, size_t size, uint64_t value)
{
	for (size_t i = 0; i < size; i++)
		record[(size_t)at + i] = (char)(value >> 8 * i & 0xff);
}

/** The number of `size` bytes at `at` of a record. */
static inline uint64_t xb_bytes_get(const char *record, int at, size_t size)
{
	uint64_t value = 0;

	for (size_t i = size; i-- > 0;)
		value = value << 8 | (unsigned char)record[(size_t)at + i];
	return value;
}

/** Take `len` bytes off the start of `rest`; fewer where there are no more. */
static inline struct xb_view xb_bytes_take(struct xb_view *rest, size_t len)
{
	struct xb_view v = xb_view_sub(*rest, 0, len);

	rest->data += v.len;
	rest->len -= v.len;
	return v;
}

#endif
