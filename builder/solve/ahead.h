/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Trees of base images that are made ahead of the steps that need them, beside other steps: a
 * base's layers come from its registry while another stage is built.
 *
 * It is a help only: what fails here is tried again, and told, by the step that needs it.
 */
#ifndef XB_BUILDER_SOLVE_AHEAD_H
#define XB_BUILDER_SOLVE_AHEAD_H

#include "builder/solve/result.h"
#include "builder/solve/shared.h"

struct xb_ahead;

/** Nothing yet; `shared` is borrowed. */
struct xb_ahead *xb_ahead_new(struct xb_step_shared *shared);
/**
 * Wait for what was begun, which ends soon where `shared->cancelled` is set, and release; NULL is
 * left alone.
 */
void xb_ahead_free(struct xb_ahead *ahead);

XB_DEFINE_CLEANUP(xb_ahead_cleanup, struct xb_ahead, xb_ahead_free)
#define xb_auto_ahead XB_CLEANUP(xb_ahead_cleanup)

/**
 * Begin to make the tree of the base `result` of step `index`; it is borrowed until the end.
 * Warnings are posted as the step's. By one thread.
 */
void xb_ahead_begin(struct xb_ahead *ahead, size_t index, const struct xb_result *result);

#endif
