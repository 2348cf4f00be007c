/* SPDX-License-Identifier: Apache-2.0 */
/** Sizes in bytes as people write them, and back. */
#ifndef XB_BASE_SIZE_H
#define XB_BASE_SIZE_H

#include <stdint.h>

#include "base/str.h"

/**
 * Read a size: a decimal number, which may have a fraction, and a unit in any case, with or without
 * a blank between: none or "b" for bytes, "k", "m", "g", "t", "p" for powers of 1024, each also as
 * in "kb" and "KiB". Returns 0, or -EINVAL for anything else and for 2^63 and above.
 * Source: docker/go-units RAMInBytes(), which docker's options are read with.
 */
int xb_size_parse(struct xb_view text, uint64_t *ret);

/** Append `bytes` as xb_size_parse() reads it, in the largest unit that divides it ("100M"). */
void xb_size_print(uint64_t bytes, struct xb_str *out);

#endif
