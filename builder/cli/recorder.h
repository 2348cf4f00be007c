/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Writes a build into the store's history: hears the events that progress hears, and passes them
 * on.
 *
 * Of each step are kept its title, platform and strategy, what became of it and when, and the last
 * XB_RECORDER_LOG_BYTES of its output, which has been masked already; credentials in URLs are not
 * kept. Nothing is written before xb_recorder_finish(), and then all at once.
 */
#ifndef XB_BUILDER_CLI_RECORDER_H
#define XB_BUILDER_CLI_RECORDER_H

#include "builder/cli/request.h"
#include "builder/solve/solve.h"

/** Bytes of a step's output that are kept: the last ones, whole lines. */
#define XB_RECORDER_LOG_BYTES ((size_t)16 << 10)

struct xb_recorder;

/** Begin: the build's time counts from now. */
struct xb_recorder *xb_recorder_new(void);
/** Release; NULL is left alone. */
void xb_recorder_free(struct xb_recorder *recorder);

XB_DEFINE_CLEANUP(xb_recorder_cleanup, struct xb_recorder, xb_recorder_free)
#define xb_auto_recorder XB_CLEANUP(xb_recorder_cleanup)

/** The observer to give to xb_solve() for steps of `plan` (borrowed), which passes on to `next`. */
struct xb_observer xb_recorder_watch(struct xb_recorder *recorder, const struct xb_plan *plan,
				     const struct xb_observer *next);
/** Note the steps' layers, once they are all there. */
void xb_recorder_results(struct xb_recorder *recorder, const struct xb_results *results);
/** Note what the build gave. */
void xb_recorder_digest(struct xb_recorder *recorder, const struct xb_digest *digest);
/**
 * Write the build to the history of its store; one that never had a store has none. `r` and
 * `failure` are how it ended.
 */
int xb_recorder_finish(struct xb_recorder *recorder, const struct xb_build_request *request, int r,
		       const struct xb_error *failure, struct xb_error *err);

#endif
