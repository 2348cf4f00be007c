/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Steps that stand by: begun ahead (xb_sandbox_begin()) while others run, so that the next step of
 * their kind finds its processes, namespaces and mounts made. How a step runs, and what it can
 * reach, does not depend on whether one stood by for it.
 *
 * Threads: any number may use one object at once; its mutex guards the list.
 */
#ifndef XB_BUILDER_SANDBOX_STANDBY_H
#define XB_BUILDER_SANDBOX_STANDBY_H

#include "base/cleanup.h"
#include "builder/sandbox/sandbox.h"

/** So many stand by at most: each is two processes and a few dozen mounts. */
#define XB_STANDBY_MOST 8

struct xb_standby;

/** An empty list. */
struct xb_standby *xb_standby_new(void);

/** End those that nobody took; nobody may use the list any more. NULL is left alone. */
void xb_standby_free(struct xb_standby *standby);

XB_DEFINE_CLEANUP(xb_cleanup_standby, struct xb_standby, xb_standby_free)
#define xb_auto_standby XB_CLEANUP(xb_cleanup_standby)

/**
 * Begin a step like `like`, for one that will soon follow. Nothing is begun where that is not
 * possible, and an error is nobody's: the step will be started as a whole then, and tell it.
 */
void xb_standby_prepare(struct xb_standby *standby, const struct xb_sandbox_spec *like);

/**
 * Start a step: one that stands by is taken when there is one alike; else, and where that one has
 * come to an end meanwhile, as xb_sandbox_start(), whose parameters and errors are these.
 */
int xb_standby_start(struct xb_standby *standby, const struct xb_sandbox_spec *spec,
		     const struct xb_sandbox_io *io, struct xb_sandbox **ret, struct xb_error *err);

#endif
