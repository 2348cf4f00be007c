/* SPDX-License-Identifier: Apache-2.0 */
/** What a build has done, written to caches outside of the store (--cache-to). */
#ifndef XB_BUILDER_SOLVE_EXPORTS_H
#define XB_BUILDER_SOLVE_EXPORTS_H

#include "base/array.h"
#include "base/error.h"
#include "builder/cache/store.h"
#include "builder/plan/plan.h"
#include "builder/solve/cache_spec.h"
#include "builder/solve/depot.h"
#include "builder/solve/opener.h"
#include "builder/solve/solve.h"

/** What is exported; all borrowed. */
struct xb_exports {
	struct xb_store *store;
	const struct xb_plan *plan;
	const struct xb_results *results; /**< of a build whose request kept keys */
	struct xb_imports *imports;	  /**< what it found elsewhere, or NULL */
	const struct xb_cache_specs *specs;
	const struct xb_registry_opener *opener;
};

/**
 * Gather the records of the steps whose layers are in the results (with `all` of every step), by
 * platform; `used` is what they say of their last use. Steps without a packed layer are left out.
 * Errors: those of the store.
 */
int xb_exports_gather(const struct xb_exports *exports, bool all, int64_t used,
		      struct xb_depot_entries *ret, struct xb_error *err);

/**
 * Write all caches, one after the other; those of type=inline are in the images already. Lines for
 * people go to `notes`: what was written, and what went wrong where that is not to be an error.
 * Errors: those of xb_depot_write() for the first that fails, after the others were written.
 */
int xb_exports_write(const struct xb_exports *exports, struct xb_strv *notes, struct xb_error *err);

#endif
