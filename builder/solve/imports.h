/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The caches outside of the store that a build looks into (--cache-from), and what they know of its
 * steps. They are read when a step is not in the store, the first time; what cannot be read is a
 * warning and no error, since every step can be carried out.
 *
 * What a cache says is believed for exactly the key that it says it of. The layer is checked
 * against its digest when it is fetched, and against its diff ID when it is unpacked, behind the
 * walls that every foreign layer has. Thread-safe, but for making and releasing it.
 */
#ifndef XB_BUILDER_SOLVE_IMPORTS_H
#define XB_BUILDER_SOLVE_IMPORTS_H

#include <stdbool.h>

#include "base/array.h"
#include "builder/cache/record.h"
#include "builder/cache/store.h"
#include "builder/plan/plan.h"
#include "builder/solve/cache_spec.h"
#include "builder/solve/opener.h"

struct xb_imports;

/**
 * The caches of `specs`, for the platforms of the plan's steps; nothing is read yet. All is
 * borrowed. Errors: those of making a client of registries.
 */
int xb_imports_new(struct xb_store *store, const struct xb_plan *plan,
		   const struct xb_cache_specs *specs, const struct xb_registry_opener *opener,
		   struct xb_imports **ret, struct xb_error *err);
/** Release; NULL is left alone. */
void xb_imports_free(struct xb_imports *imports);

XB_DEFINE_CLEANUP(xb_imports_cleanup, struct xb_imports, xb_imports_free)
#define xb_auto_imports XB_CLEANUP(xb_imports_cleanup)

/**
 * Look for a step's key, in the order in which the caches were given, and get the layer into the
 * store. Returns true when `ret` is the result: it is then recorded in the store, too. NULL
 * `imports` never has any. Lines about what could not be read go to `warnings`.
 */
bool xb_imports_find(struct xb_imports *imports, const char *key, struct xb_record *ret,
		     struct xb_strv *warnings);

#endif
