/* SPDX-License-Identifier: Apache-2.0 */
/** The platforms that a command line names: --platform, --leg. */
#ifndef XB_BUILDER_CLI_PLATFORMS_H
#define XB_BUILDER_CLI_PLATFORMS_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"
#include "platforms/platform.h"

struct xb_platforms XB_ARRAY(struct xb_platform);
struct xb_flags XB_ARRAY(bool);

/**
 * Read lists such as "linux/amd64,linux/s390x?", each platform once; "local" is `host`, and stands
 * for an empty list. `optional` gets for each whether it may fail: one that is named twice only if
 * it may both times. Both start empty. Errors: fault usage.
 */
int xb_platforms_read(const struct xb_strv *texts, const struct xb_platform *host,
		      struct xb_platforms *ret, struct xb_flags *optional, struct xb_error *err);

#endif
