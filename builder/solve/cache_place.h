/* SPDX-License-Identifier: Apache-2.0 */
/** Where a cache outside of the store is, opened: a layout in a directory, or a repository. */
#ifndef XB_BUILDER_SOLVE_CACHE_PLACE_H
#define XB_BUILDER_SOLVE_CACHE_PLACE_H

#include "builder/solve/cache_spec.h"
#include "builder/solve/depot.h"
#include "builder/solve/opener.h"
#include "manifest/place_layout.h"

/** A place. Starts as `{ 0 }`; do not copy it. */
struct xb_cache_place {
	const struct xb_cache_spec *spec; /**< borrowed */
	struct xb_place *place;		  /**< NULL: it is not open */
	struct xb_place *repository;	  /**< owned, of a registry */
	struct xb_layout *layout;	  /**< owned, of a directory */
	struct xb_layout_place in_layout;
	char *tag;
	char *digest; /**< of the only index that is meant, or NULL */
};

/**
 * Prepare it: repositories are named, and directories not touched yet. `spec` is none of
 * type=inline without a name. Called by one thread at a time, as the opener wants it. Errors: those
 * of making a client.
 */
int xb_cache_place_init(struct xb_cache_place *place, const struct xb_cache_spec *spec,
			const struct xb_registry_opener *opener, struct xb_error *err);
/** Release; allowed for one that was not prepared. */
void xb_cache_place_clear(struct xb_cache_place *place);

/**
 * Open it for reading, or to `write`: then a directory is made where there is none. `ret` borrows
 * from `place`. Errors: those of opening a layout.
 */
int xb_cache_place_open(struct xb_cache_place *place, bool write, struct xb_depot *ret,
			struct xb_error *err);

#endif
