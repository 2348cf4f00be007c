/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What builds need of the machine, tried: each check does what a build would do, and says whether
 * that works, what is the case, and what would change it.
 */
#ifndef XB_BUILDER_CLI_CHECKUP_H
#define XB_BUILDER_CLI_CHECKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "emulation/strategy.h"

/** What came of a check. */
enum xb_condition {
	XB_CONDITION_OK,
	XB_CONDITION_LIMITED, /**< builds work, with less: slower, or without some option */
	XB_CONDITION_REFUSED, /**< what needs it fails */
};

/** "ok", "limited", "refused"; borrowed. */
const char *xb_condition_name(enum xb_condition condition);

/** A check that was made. Texts are owned. */
struct xb_checked {
	char *name; /**< "trees", "linux/arm64" */
	bool platform;
	enum xb_condition condition;
	char *text;	      /**< what is the case, for people */
	char *hint;	      /**< one thing that would change it, or NULL */
	uint64_t nanoseconds; /**< of a platform's program from start to end; 0: none ran */
};

/** All of them, in the order in which they are to be read. */
struct xb_checkup {
	struct XB_ARRAY(struct xb_checked) checks;
	bool works; /**< builds for the machine's own platform do */
};

/** Release what it holds. */
void xb_checkup_clear(struct xb_checkup *checkup);
#define xb_auto_checkup XB_CLEANUP(xb_checkup_clear)

/** What the checks are about; borrowed. */
struct xb_checkup_request {
	const char *root; /**< the store's directory; it is made when missing, as a build does */
	const struct xb_strategy_options *strategy;
};

/**
 * Make all checks: the machine's, then a program of each architecture that xbuild knows is run as a
 * step would run it. This process becomes root of a user namespace with the first one, hence has
 * one thread and calls this once. Errors: only that the machine's own architecture is unknown.
 */
int xb_checkup_run(const struct xb_checkup_request *request, struct xb_checkup *ret,
		   struct xb_error *err);

#endif
