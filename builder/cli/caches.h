/* SPDX-License-Identifier: Apache-2.0 */
/** --cache-from and --cache-to: what of them each part of a build needs. */
#ifndef XB_BUILDER_CLI_CACHES_H
#define XB_BUILDER_CLI_CACHES_H

#include "builder/solve/cache_spec.h"
#include "builder/solve/exports.h"
#include "builder/solve/imports.h"
#include "builder/solve/solve.h"

/** The caches of a build. Starts as `{ 0 }`. */
struct xb_caches {
	struct xb_cache_specs from;
	struct xb_cache_specs to;
	struct xb_imports *imports; /**< once the build has begun */
};

/** Release. */
void xb_caches_clear(struct xb_caches *caches);

/** Read the options. Errors: fault usage. */
int xb_caches_read(const struct xb_strv *from, const struct xb_strv *to, struct xb_caches *ret,
		   struct xb_error *err);
/** Whether a registry is asked for any of them. */
bool xb_caches_ask(const struct xb_caches *caches);
/** Say to the solver of `what` (whose plan and store are set) what to look for and what to keep. */
int xb_caches_prepare(struct xb_caches *caches, const struct xb_registry_opener *opener,
		      struct xb_solve_request *what, struct xb_error *err);
/**
 * As xb_solve(), once more without what caches have where that could not be had. `keep`: images
 * stay in the store or go to files, and so need all of their layers.
 */
int xb_caches_solve(struct xb_caches *caches, const struct xb_solve_request *what, bool keep,
		    struct xb_results *ret, struct xb_error *err);
/** The records that go into images; none where none are asked for. */
int xb_caches_inline(const struct xb_caches *caches, struct xb_store *store,
		     const struct xb_plan *plan, const struct xb_results *results,
		     struct xb_catalog *ret, struct xb_error *err);
/** Write what is to be written, and print what became of it unless `quiet`. Errors: as
 *  xb_exports_write(). */
int xb_caches_write(const struct xb_caches *caches, const struct xb_exports *what, bool quiet,
		    struct xb_error *err);

#endif
