/* SPDX-License-Identifier: Apache-2.0 */
/** Resource limits of processes as docker's `--ulimit` names them. */
#ifndef XB_BUILDER_SANDBOX_ULIMIT_H
#define XB_BUILDER_SANDBOX_ULIMIT_H

#include "builder/sandbox/spec.h"

/**
 * Read "NAME=SOFT[:HARD]" and put it into `limits`, in the place of one of that name; without HARD
 * it is SOFT. The values are numbers in the unit of getrlimit(2), -1 for no limit.
 * Errors: -EINVAL, fault usage: unknown name, no number, SOFT above HARD.
 * Source: docker/go-units ParseUlimit().
 */
int xb_ulimit_parse(const char *text, struct xb_sandbox_rlimits *limits, struct xb_error *err);

/** The name of an RLIMIT_ constant, as xb_ulimit_parse() reads it; "limit" when it has none. */
const char *xb_ulimit_name(uint32_t resource);

/**
 * Check that this process, and so its steps, may set `limits`: only a privileged one may raise a
 * limit above its own hard limit. Errors: -EPERM, fault usage, with the name and what is allowed.
 */
int xb_ulimit_check(const struct xb_sandbox_rlimits *limits, struct xb_error *err);

#endif
