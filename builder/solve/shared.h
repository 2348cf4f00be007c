/* SPDX-License-Identifier: Apache-2.0 */
/** What the workers of one build have in common. */
#ifndef XB_BUILDER_SOLVE_SHARED_H
#define XB_BUILDER_SOLVE_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/crew.h"
#include "builder/cache/store.h"
#include "builder/context/context.h"
#include "builder/plan/plan.h"
#include "builder/sandbox/cdi.h"
#include "builder/sandbox/limits.h"
#include "builder/sandbox/standby.h"
#include "builder/solve/agent.h"
#include "builder/solve/events.h"
#include "builder/solve/imports.h"
#include "builder/solve/rosters.h"
#include "builder/solve/secret.h"
#include "builder/solve/sources.h"

/** What a step's result is for. */
enum xb_result_use {
	XB_RESULT_LAYER = 1, /**< its layer is wanted in its plain form (builder/solve/form.h) */
	XB_RESULT_TREE = 2,  /**< another step waits for it */
	XB_RESULT_FILES = 4, /**< a command runs on it, or its files are read: bases are unpacked */
	XB_RESULT_FORM = 8 /**< its layer is wanted in another form, which is made from its tree */
};

/** What all steps of a build share; it does not change while steps run, but for `cancelled`. */
struct xb_step_shared {
	const struct xb_plan *plan;
	struct xb_store *store;
	const struct xb_sources *sources;
	const struct xb_context *context; /**< NULL: there is none */
	struct xb_shapes *shapes;	  /**< of bases that are not unpacked */
	const struct xb_strategy_options *strategy;
	const struct xb_strv *hosts;		/**< lines for /etc/hosts, NULL: none */
	const struct xb_secrets *secrets;	/**< NULL: none */
	const struct xb_agent_sources *agents;	/**< NULL: none */
	const struct xb_sandbox_limits *limits; /**< of every RUN, NULL: none */
	const struct xb_cdi *devices;		/**< those of the machine, NULL: none */
	int64_t epoch;				/**< SOURCE_DATE_EPOCH, -1: none */
	uint64_t max_layer; /**< bytes that a layer or archive may unpack to; 0: the default */
	bool no_cache;	    /**< look nothing up */
	bool keep_keys;	    /**< results tell their steps' keys */
	struct xb_imports *imports; /**< caches outside of the store, NULL: none */
	bool no_network;	    /**< steps have no network */
	bool offline;		    /**< the builder asks nobody */
	struct xb_crew *crew;	    /**< helps those who pack */
	struct xb_standby *standby; /**< commands' sandboxes, made ahead */
	const unsigned char *uses;  /**< of each step's result: a set of enum xb_result_use */
	bool layers_only;	    /**< outputs want layers in their plain form, and no trees */
	struct xb_events *events;
	atomic_bool cancelled; /**< set once; steps end as soon as they see it */
	int cancel_fd;	       /**< readable once `cancelled` is set */
};

#endif
