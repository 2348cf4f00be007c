/* SPDX-License-Identifier: Apache-2.0 */
/** How differences of images are told; for builder/cli/cmd_diff. */
#ifndef XB_BUILDER_CLI_DIFF_REPORT_H
#define XB_BUILDER_CLI_DIFF_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/json.h"
#include "builder/image/difference.h"

/** Two images that were compared; all borrowed. */
struct xb_diff_pair {
	const char *names[2];
	const struct xb_platform *platforms[2];
	const struct xb_digest *digests[2];
};

/** Print for people: a summary, and of each kind the first ten, with `detail` all. */
void xb_diff_report_print(const struct xb_diff_pair *pair, const struct xb_differences *found,
			  bool detail, FILE *out);
/** All of it as an object, the caller's. */
json_t *xb_diff_report_json(const struct xb_diff_pair *pair, const struct xb_differences *found);
/** That only the image `name` has a platform, likewise. */
json_t *xb_diff_report_alone(const char *name, const struct xb_platform *platform);

#endif
