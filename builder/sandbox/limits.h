/* SPDX-License-Identifier: Apache-2.0 */
/** What a build's options say about the process of every step. */
#ifndef XB_BUILDER_SANDBOX_LIMITS_H
#define XB_BUILDER_SANDBOX_LIMITS_H

#include "builder/sandbox/cgroup.h"
#include "builder/sandbox/resources.h"
#include "builder/sandbox/spec.h"

/** Zeroed: as always. The strings and lists are owned, `cgroups` is borrowed. */
struct xb_sandbox_limits {
	struct xb_sandbox_rlimits rlimits;
	uint64_t shm_size; /**< of /dev/shm, bytes; 0: XB_SANDBOX_SHM_SIZE */
	struct xb_resources resources;
	struct xb_cgroups
		*cgroups; /**< where steps get their control groups; NULL: they get none */
};

/** Release; it is then zeroed. */
void xb_sandbox_limits_clear(struct xb_sandbox_limits *limits);

/** Put into `spec` what limits say of it: all but the control group. */
void xb_sandbox_limits_apply(const struct xb_sandbox_limits *limits, struct xb_sandbox_spec *spec);

#endif
