/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Where a build's base images and directories come from: names given by --build-context, then the
 * tags of the store, then registries.
 *
 * Images are found while planning; afterwards the object does not change and workers may use it.
 */
#ifndef XB_BUILDER_SOLVE_SOURCES_H
#define XB_BUILDER_SOLVE_SOURCES_H

#include "base/array.h"
#include "builder/cache/store.h"
#include "builder/context/context.h"
#include "builder/fetch/fetch.h"
#include "builder/plan/plan.h"
#include "builder/plan/scout.h"
#include "builder/solve/opener.h"
#include "builder/solve/roots.h"

struct xb_place;
struct xb_sources;

/**
 * Make the sources of a build. `named` holds NAME[::PLATFORM]=VALUE, VALUE being a directory, a
 * URL of http or https, a git repository, "oci-layout://DIR[:TAG][@DIGEST]" or
 * "docker-image://NAME"; directories and layouts are opened here, other names of images looked for,
 * and what is elsewhere fetched, when they are needed. What has a PLATFORM is found by the name
 * "NAME::PLATFORM" alone, see xb_named_for(). `store` is borrowed.
 * Errors: -EINVAL, fault usage; those of opening.
 */
int xb_sources_new(struct xb_store *store, const struct xb_strv *named, struct xb_sources **ret,
		   struct xb_error *err);
/** Release; images and contexts handed out go with it. NULL is left alone. */
void xb_sources_free(struct xb_sources *sources);

XB_DEFINE_CLEANUP(xb_sources_cleanup, struct xb_sources, xb_sources_free)
#define xb_auto_sources XB_CLEANUP(xb_sources_cleanup)

/** How times of things from elsewhere are fetched for the planner; all is borrowed. */
void xb_sources_set_fetch(struct xb_sources *sources, const struct xb_fetch_options *how);

/** Look for images in registries, too, once, and find them by this policy (copied). */
void xb_sources_set_registry(struct xb_sources *sources, const struct xb_registry_opener *opener,
			     const struct xb_roots_policy *policy);
/**
 * Find what a plan will ask for, all references and platforms at once. What cannot be found is told
 * by the planner, with its place; only what is missing under the policy is told here, all of it:
 * errors as those of xb_roots_find() for several names.
 */
int xb_sources_expect(struct xb_sources *sources, const struct xb_plan_wants *wants,
		      struct xb_error *err);
/** Note in `pins` what the images were found to be that are not of layouts. After planning. */
void xb_sources_pin(const struct xb_sources *sources, struct xb_pins *pins);

/** The view that the planner takes. */
struct xb_plan_sources xb_sources_for_plan(struct xb_sources *sources);
/** The directory of that name, borrowed, or NULL. */
const struct xb_context *xb_sources_directory(const struct xb_sources *sources, const char *name);
/** Remember in the store what the files of directories hold; see xb_context_remember(). */
void xb_sources_remember(struct xb_sources *sources);
/** Keep what was learnt of them; see xb_context_save(). */
int xb_sources_save(struct xb_sources *sources, struct xb_error *err);
/**
 * See to it that the layers of `image`, which came from these sources, can be had: those of a
 * layout are copied into the store, of those in a registry it is noted where they are
 * (builder/cache/origin.h). Thread-safe.
 */
int xb_sources_import(const struct xb_sources *sources, const struct xb_image *image,
		      struct xb_error *err);

#endif
