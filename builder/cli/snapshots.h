/* SPDX-License-Identifier: Apache-2.0 */
/** By what means steps get their trees, as users say it: --snapshots, or $XBUILD_SNAPSHOTS. */
#ifndef XB_BUILDER_CLI_SNAPSHOTS_H
#define XB_BUILDER_CLI_SNAPSHOTS_H

#include "base/error.h"
#include "builder/cache/means.h"

/**
 * Read what the option says, or without one (NULL) the environment: auto (also when neither says
 * anything), overlay or copy. Errors: fault usage.
 */
int xb_snapshots_read(const char *option, enum xb_means *ret, struct xb_error *err);

#endif
