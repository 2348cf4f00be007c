/* SPDX-License-Identifier: Apache-2.0 */
/** The options that say what steps' processes may use and do. */
#ifndef XB_BUILDER_CLI_LIMITS_H
#define XB_BUILDER_CLI_LIMITS_H

#include "base/array.h"
#include "builder/plan/plan.h"
#include "builder/sandbox/cdi.h"
#include "builder/sandbox/limits.h"

/** As given, borrowed. */
struct xb_limit_options {
	const struct xb_strv *ulimits;	 /**< --ulimit */
	const struct xb_strv *resources; /**< --resource */
	const char *shm_size;		 /**< --shm-size, or NULL */
};

/** A device that is granted, and the name that it then has in the Dockerfile. Both owned. */
struct xb_device_grant {
	char *name;
	char *alias; /**< NULL: none */
};
struct xb_device_grants XB_ARRAY(struct xb_device_grant);

/** What --allow grants. Starts zeroed. */
struct xb_granted {
	bool insecure;
	bool all_devices;
	struct xb_device_grants devices;
	struct xb_cdi *cdi; /**< the machine's devices, read when the first is asked for */
};

/** Release. */
void xb_granted_clear(struct xb_granted *granted);

/** Read the options of limits. Errors: fault usage. */
int xb_limits_read(const struct xb_limit_options *options, struct xb_sandbox_limits *limits,
		   struct xb_error *err);

/**
 * Read --allow: network.host (which every step has anyway), security.insecure, device,
 * device=NAME[,alias=NAME]. Errors: fault usage.
 */
int xb_granted_read(const struct xb_strv *allowed, struct xb_granted *granted,
		    struct xb_error *err);

/** The grants as the planner asks for them; `granted` is borrowed. */
struct xb_plan_grants xb_granted_for_plan(struct xb_granted *granted);

#endif
