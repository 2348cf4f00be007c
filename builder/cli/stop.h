/* SPDX-License-Identifier: Apache-2.0 */
/** A flag that a signal sets while a command's own thread is at work and cannot look. */
#ifndef XB_BUILDER_CLI_STOP_H
#define XB_BUILDER_CLI_STOP_H

#include <stdatomic.h>

#include "base/cleanup.h"

struct xb_stop;

/**
 * Watch `stop_fd` (as in struct xb_invocation; borrowed, nothing is read from it) from a thread of
 * its own until xb_stop_free(). Where there can be no thread the flag stays as it is.
 */
struct xb_stop *xb_stop_new(int stop_fd);
/** What is set once there was a signal, borrowed. */
const atomic_bool *xb_stop_flag(const struct xb_stop *stop);
/** End the watch; NULL is left alone. */
void xb_stop_free(struct xb_stop *stop);

XB_DEFINE_CLEANUP(xb_stop_cleanup, struct xb_stop, xb_stop_free)
#define xb_auto_stop XB_CLEANUP(xb_stop_cleanup)

#endif
