/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The scheduler: steps that are ready go to workers, results come back, until all are there.
 *
 * The calling thread is the scheduler and alone owns plan and results; everything that an observer
 * is told it is told on that thread.
 */
#ifndef XB_BUILDER_SOLVE_SOLVE_H
#define XB_BUILDER_SOLVE_SOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "builder/cache/store.h"
#include "builder/context/context.h"
#include "builder/plan/plan.h"
#include "builder/sandbox/cdi.h"
#include "builder/sandbox/limits.h"
#include "builder/solve/agent.h"
#include "builder/solve/events.h"
#include "builder/solve/form.h"
#include "builder/solve/imports.h"
#include "builder/solve/order.h"
#include "builder/solve/result.h"
#include "builder/solve/secret.h"
#include "builder/solve/sources.h"

/** Who watches a build. */
struct xb_observer {
	void *context;
	/** Something happened; `event` is borrowed for the call. */
	void (*event)(void *context, const struct xb_event *event);
	/**
	 * A step failed, and its error is not the result of the build: because another's is, or
	 * because it was allowed to fail. Called when nothing runs any more, in the order in which
	 * they failed; `error` is borrowed. NULL: they are not told.
	 */
	void (*failed)(void *context, size_t step, const struct xb_error *error);
	/** Called about every `tick_ms`, for timers; 0: never. */
	void (*tick)(void *context);
	int tick_ms;
};

/** What to solve; all borrowed. */
struct xb_solve_request {
	const struct xb_plan *plan;
	struct xb_store *store;
	const struct xb_sources *sources;
	const struct xb_context *context; /**< NULL: none */
	const struct xb_strategy_options *strategy;
	const struct xb_strv *hosts;		/**< lines for /etc/hosts, or NULL */
	const struct xb_secrets *secrets;	/**< of --secret, or NULL */
	const struct xb_agent_sources *agents;	/**< of --ssh, or NULL */
	const struct xb_sandbox_limits *limits; /**< of every RUN, or NULL */
	const struct xb_cdi *devices;		/**< that steps of the plan name, or NULL */
	int64_t epoch;				/**< SOURCE_DATE_EPOCH in seconds, -1: none */
	uint64_t max_layer; /**< bytes that a layer or archive may unpack to; 0: the default */
	bool no_cache;
	struct xb_imports *imports; /**< caches outside of the store, or NULL */
	bool keep_keys;		    /**< results tell their steps' keys: they are exported */
	bool pack_images; /**< the layers of the results are packed, whatever outputs want */
	bool pack_all;	  /**< the layers of all steps are */
	bool no_network;
	bool offline;	 /**< nothing is fetched: what is in the store has to do */
	bool keep_going; /**< a step that fails stops only what needs it */
	/** Of each target of the plan: it may fail without failing the build. NULL: none may. */
	const bool *optional;
	/** The forms in which targets' layers are wanted, besides that they are made: none for a
	 * build whose outputs hold no image. */
	const struct xb_forms *forms;
	bool files;    /**< outputs take the files of the targets */
	unsigned jobs; /**< workers; 0: one for each processor, at least two */
	int stop_fd;   /**< when it becomes readable (a signalfd) the build is cancelled; or -1 */
	struct xb_observer observer;
};

/** All steps' results, by index in the plan. */
struct xb_results {
	struct xb_result *items;
	bool *missing; /**< the step failed, or was not begun since one that it needs failed */
	size_t len;
};

/** Whether a step (XB_STEP_NONE: the empty tree) has a result. */
bool xb_results_have(const struct xb_results *results, size_t step);

/** Release. */
void xb_results_clear(struct xb_results *results);
#define xb_auto_results XB_CLEANUP(xb_results_clear)

/**
 * Carry out all steps of a plan. Of those that are ready the one with the longest known path to the
 * end is begun first (builder/solve/order.h).
 *
 * The first step that fails stops the others; its error is the result. Two exceptions: with
 * `keep_going`, and when only optional targets need the step, a failure stops just what needs the
 * step. All the rest is then carried out, and its results kept in the store. The result is the
 * error of the first step that failed and that a target which must not fail needs; without one, it
 * is 0 if any target has its result, and targets that have none are missing in `ret`.
 *
 * Cancelled: -ECANCELED, fault interrupted. When this returns no process of the build runs any
 * more.
 */
int xb_solve(const struct xb_solve_request *request, struct xb_results *ret, struct xb_error *err);

#endif
