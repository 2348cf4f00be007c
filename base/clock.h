/* SPDX-License-Identifier: Apache-2.0 */
/** Times: now, and as RFC 3339 text in UTC, which is what OCI documents hold. */
#ifndef XB_BASE_CLOCK_H
#define XB_BASE_CLOCK_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

/** Nanoseconds of a clock that never goes back, for durations. */
uint64_t xb_clock_monotonic(void);
/** Seconds since 1970. */
int64_t xb_clock_now(void);
/** Append "2026-01-02T03:04:05Z". */
int xb_clock_format(int64_t seconds, struct xb_str *s);
/** Read RFC 3339 (fractions of a second are dropped, offsets applied). -EINVAL otherwise. */
int xb_clock_parse(struct xb_view text, int64_t *ret_seconds, struct xb_error *err);

#endif
