/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Progress of a build on standard error: lines for a log, a live picture for a terminal, JSON for
 * programs, or nothing.
 */
#ifndef XB_BUILDER_CLI_PROGRESS_H
#define XB_BUILDER_CLI_PROGRESS_H

#include "base/array.h"
#include "base/error.h"
#include "builder/plan/plan.h"
#include "builder/solve/solve.h"

/** The ways of showing progress. */
enum xb_progress_mode {
	XB_PROGRESS_PLAIN,  /**< every line of output behind its step's number */
	XB_PROGRESS_TTY,    /**< a line for each running step, with its time and last output */
	XB_PROGRESS_QUIET,  /**< nothing but warnings */
	XB_PROGRESS_RAWJSON /**< one JSON object a line */
};

struct xb_progress;

/**
 * Read the value of --progress; NULL and "auto" choose by whether standard error is a terminal.
 * Errors: -EINVAL, fault usage.
 */
int xb_progress_mode(const char *text, enum xb_progress_mode *ret, struct xb_error *err);

/** Progress of the steps of `plan` (borrowed). */
struct xb_progress *xb_progress_new(const struct xb_plan *plan, enum xb_progress_mode mode);
/** Take down what is live, and release; NULL is left alone. */
void xb_progress_free(struct xb_progress *progress);

XB_DEFINE_CLEANUP(xb_progress_cleanup, struct xb_progress, xb_progress_free)
#define xb_auto_progress XB_CLEANUP(xb_progress_cleanup)

/** The observer to give to xb_solve(). */
struct xb_observer xb_progress_observer(struct xb_progress *progress);
/**
 * The end: a line for each of the files in `kept`, which outputs did not have to write again, and
 * one that says how many steps ran and how many were in the cache.
 */
void xb_progress_summary(struct xb_progress *progress, const struct xb_strv *kept);

#endif
