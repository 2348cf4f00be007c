/* SPDX-License-Identifier: Apache-2.0 */
/** `--cache-limit` and $XBUILD_CACHE_LIMIT: how large builds let the store become. */
#ifndef XB_BUILDER_CLI_CACHE_LIMIT_H
#define XB_BUILDER_CLI_CACHE_LIMIT_H

#include <stdint.h>

#include "base/error.h"

/**
 * Read the bound for xb_limit_set() from the option's value, or where that is NULL from the
 * environment: a size, or "none". Neither: 0. Errors: -EINVAL, fault usage.
 */
int xb_cache_limit_read(const char *option, uint64_t *ret, struct xb_error *err);

#endif
