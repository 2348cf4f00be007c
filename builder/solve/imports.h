/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The caches outside of the store that a build looks into (--cache-from), and what they know of its
 * steps. They are read when a step is not in the store, the first time; what cannot be read is a
 * warning and no error, since every step can be carried out.
 *
 * What a cache says is believed for exactly the key that it says it of. The layer is checked
 * against its digest when it is fetched, and against its diff ID when it is unpacked, behind the
 * walls that every foreign layer has.
 *
 * A layer that is in a registry stays there until something needs its bytes, as those of bases do
 * (decision 0040). When it then cannot be had, the build is solved once more, and trusts in no
 * layer that it does not have. Thread-safe where nothing else is said.
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
#include "builder/solve/result.h"

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
 * Look for a step's key, in the order in which the caches were given. Returns true when `ret` is
 * the result. Its layer is then in the store, and recorded there, or is in a registry, which has
 * been asked whether it has it. NULL `imports` never has any. Lines about what could not be read go
 * to `warnings`.
 */
bool xb_imports_find(struct xb_imports *imports, const char *key, struct xb_record *ret,
		     struct xb_strv *warnings);

/** The result that xb_imports_find() gave for a key whose layer was left where it is, or NULL;
 *  borrowed. NULL `imports` has none. */
const struct xb_record *xb_imports_left(struct xb_imports *imports, const char *key);

/**
 * Get those layers of `result` into the store that were left. Errors: those of xb_supply_blob().
 * Once nothing else uses it, as the next two.
 */
int xb_imports_fetch(struct xb_imports *imports, const struct xb_result *result,
		     struct xb_error *err);
/**
 * Something failed: whether it may be for what was left, so that it is worth a second try without.
 * From now on each layer is fetched when its step is found.
 */
bool xb_imports_distrust(struct xb_imports *imports, const struct xb_error *cause);
/** Record in the store what was left and has been fetched since. What cannot be recorded is looked
 *  for again. */
void xb_imports_record(struct xb_imports *imports);

#endif
