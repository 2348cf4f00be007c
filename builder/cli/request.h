/* SPDX-License-Identifier: Apache-2.0 */
/**
 * From the command line of `build` and `plan` to a plan: options, context, Dockerfile, sources.
 */
#ifndef XB_BUILDER_CLI_REQUEST_H
#define XB_BUILDER_CLI_REQUEST_H

#include <stdint.h>

#include "base/array.h"
#include "builder/cache/means.h"
#include "builder/cache/store.h"
#include "builder/cli/build_options.h"
#include "builder/cli/caches.h"
#include "builder/cli/command.h"
#include "builder/cli/leg.h"
#include "builder/cli/limits.h"
#include "builder/cli/options.h"
#include "builder/cli/parity.h"
#include "builder/cli/pinning.h"
#include "builder/cli/platforms.h"
#include "builder/cli/registries.h"
#include "builder/context/context.h"
#include "builder/dockerfile/parse.h"
#include "builder/plan/plan.h"
#include "builder/solve/agent.h"
#include "builder/solve/output.h"
#include "builder/solve/secret.h"
#include "builder/solve/sources.h"

/** A build that is ready to be planned or solved. Starts as `{ 0 }`; do not copy it. */
struct xb_build_request {
	struct xb_build_options options;
	struct xb_strv operands;
	struct xb_platform host;
	struct xb_platforms platforms;
	struct xb_flags optional; /**< of each platform: it may fail without failing the rest */
	struct xb_leg_request leg;
	struct xb_outputs outputs;
	struct xb_parity parity;
	bool index;   /**< the result is an index; of a leg: that of all legs is */
	bool several; /**< several platforms were asked for, even if fewer are left of them */
	struct xb_strv host_lines; /**< for /etc/hosts */
	struct xb_secrets secrets;
	struct xb_agent_sources agents;
	struct xb_sandbox_limits limits;
	struct xb_granted granted;
	struct xb_strategy_options strategy;
	const char *default_root; /**< the store where --root does not say another */
	int stop_fd;		  /**< as in struct xb_invocation */
	int64_t context_time;	  /**< of a context that is fetched, in seconds, -1: none */
	int64_t epoch; /**< SOURCE_DATE_EPOCH in seconds, -1: none; known once there is a plan */
	unsigned jobs;
	uint64_t max_layer;   /**< bytes, 0: the default */
	uint64_t cache_limit; /**< as for xb_limit_set() */
	enum xb_means means;  /**< as for xb_means_choose() */
	bool no_network;
	bool locking;	     /**< the lock file is about to be written: pins hold, and may lack */
	struct xb_pins pins; /**< of the lock file */
	struct xb_strv renewed; /**< references that --update names */
	struct xb_store *store;
	struct xb_context *context;
	struct xb_dockerfile *dockerfile; /**< also of a text with a fault: `part` is then set */
	struct xb_registries registries;
	struct xb_caches caches;
	struct xb_sources *sources;
	struct xb_plan *plan;
};

/** Release. */
void xb_build_request_clear(struct xb_build_request *request);
#define xb_auto_build_request XB_CLEANUP(xb_build_request_clear)

/** Read and check the options; nothing is opened but the files of secrets. Errors: fault usage. */
int xb_build_request_read(const struct xb_invocation *invocation, struct xb_build_request *request,
			  struct xb_error *err);
/**
 * Open store and context, read the Dockerfile, find the sources, make the plan and check that the
 * outputs can hold it.
 */
int xb_build_request_plan(const struct xb_invocation *invocation, struct xb_build_request *request,
			  struct xb_error *err);
/**
 * Open the store, once. What is fetched or unpacked for a plan needs it, and a process that is root
 * of a user namespace, which this one then becomes.
 */
int xb_build_request_store(struct xb_build_request *request, struct xb_error *err);
/** Open the context and read the Dockerfile alone. */
int xb_build_request_dockerfile(struct xb_build_request *request, struct xb_error *err);

/** The lock file of a build; once the context is there. */
struct xb_pinning xb_build_request_pinning(const struct xb_build_request *request);
/** Note in `pins` what the plan fetches, see xb_pinning_fetch(). */
int xb_build_request_pin_fetches(struct xb_build_request *request, struct xb_pins *pins,
				 struct xb_error *err);

#endif
