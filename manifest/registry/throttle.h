/* SPDX-License-Identifier: Apache-2.0 */
/**
 * How fast a host may be asked: as fast as can be, until it says that it is too fast.
 *
 * A 429 makes all threads keep an interval between their requests to that host, which doubles when
 * there are more of them and shrinks as requests succeed. A Retry-After holds all of them back.
 * All functions may be called by many threads; times are those of xb_clock_monotonic().
 */
#ifndef XB_MANIFEST_REGISTRY_THROTTLE_H
#define XB_MANIFEST_REGISTRY_THROTTLE_H

#include <stdint.h>

#include "base/cleanup.h"

struct xb_throttle;

/** Make one whose intervals start at `interval_ms` and end at 16 times that. */
struct xb_throttle *xb_throttle_new(unsigned interval_ms);
/** Release; NULL is left alone. */
void xb_throttle_free(struct xb_throttle *throttle);

XB_DEFINE_CLEANUP(xb_throttle_cleanup, struct xb_throttle, xb_throttle_free)
#define xb_auto_throttle XB_CLEANUP(xb_throttle_cleanup)

/** How many nanoseconds a request to `host` that is wanted `now` has to wait for its turn. */
uint64_t xb_throttle_ask(struct xb_throttle *throttle, const char *host, uint64_t now);
/** `host` answered `status`, and asked to be left alone for `seconds` (-1: it did not say). */
void xb_throttle_tell(struct xb_throttle *throttle, const char *host, int status, int64_t seconds,
		      uint64_t now);

#endif
