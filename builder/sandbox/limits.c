/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/sandbox/limits.h"

void xb_sandbox_limits_clear(struct xb_sandbox_limits *limits)
{
	xb_array_clear(&limits->rlimits);
	xb_resources_clear(&limits->resources);
	*limits = (struct xb_sandbox_limits){ 0 };
}

void xb_sandbox_limits_apply(const struct xb_sandbox_limits *limits, struct xb_sandbox_spec *spec)
{
	for (size_t i = 0; i < limits->rlimits.len; i++)
		*xb_array_push(&spec->rlimits) = limits->rlimits.items[i];
	if (limits->shm_size != 0)
		spec->shm_size = limits->shm_size;
}
