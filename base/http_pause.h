/* SPDX-License-Identifier: Apache-2.0 */
/** Pauses between a request and the next try of it. */
#ifndef XB_BASE_HTTP_PAUSE_H
#define XB_BASE_HTTP_PAUSE_H

#include <stdint.h>

#include "base/error.h"

/**
 * How many milliseconds to pause before try `tries` + 1 (`tries` from 1): a random time between the
 * half and the whole of a pause that starts at `first_ms` (0: 250), doubles with each try and ends
 * at 10 s, so that many clients do not come back at once.
 */
uint64_t xb_http_pause(unsigned first_ms, unsigned tries);

/**
 * Sleep for `ms` milliseconds, or until `cancel_fd` (-1: none) is readable: -ECANCELED then, fault
 * interrupted, in the place of what `err` held.
 */
int xb_http_sleep(int cancel_fd, uint64_t ms, struct xb_error *err);

#endif
