/* SPDX-License-Identifier: Apache-2.0 */
/** The comments at the top of what is written for a CI system in YAML. */
#ifndef XB_BUILDER_CLI_CI_HEAD_H
#define XB_BUILDER_CLI_CI_HEAD_H

#include "builder/cli/ci.h"
#include "builder/cli/yaml.h"

/** Write who wrote the file, for which system, how platforms are shared out, and what legs share.
 */
void xb_ci_write_head(const struct xb_ci *ci, const char *system, struct xb_yaml *y);

#endif
