/* SPDX-License-Identifier: Apache-2.0 */
/** Names and passwords, read from a terminal or from a file that is given as standard input. */
#ifndef XB_BUILDER_CLI_PASSWORD_H
#define XB_BUILDER_CLI_PASSWORD_H

#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"

/** The most bytes of a name or password. */
#define XB_MAX_PASSWORD ((size_t)64 << 10)

/**
 * Read all of standard input into `ret` (its maximum XB_MAX_PASSWORD), without the line end that it
 * ends with. Errors: -EFBIG, -ECANCELED (`stop_fd` became readable), -EINVAL for nothing at all, or
 * more than one line.
 */
int xb_password_read(int stop_fd, struct xb_str *ret, struct xb_error *err);

/**
 * Ask for a line on the terminal that is standard input, with what is typed hidden when `secret`.
 * Errors: as xb_password_read().
 */
int xb_password_ask(const char *question, bool secret, int stop_fd, struct xb_str *ret,
		    struct xb_error *err);

#endif
