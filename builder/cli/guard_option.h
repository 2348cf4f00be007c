/* SPDX-License-Identifier: Apache-2.0 */
/** Whether emulated steps may run this machine's own programs, as users say it: --guard. */
#ifndef XB_BUILDER_CLI_GUARD_OPTION_H
#define XB_BUILDER_CLI_GUARD_OPTION_H

#include <stdbool.h>

#include "base/error.h"

/**
 * Read what the option says: "on", also when it is NULL, or "off", which sets `*ret_off`. Errors:
 * -EINVAL, fault usage.
 */
int xb_guard_option_read(const char *option, bool *ret_off, struct xb_error *err);

#endif
