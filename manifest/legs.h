/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Whether several legs are the legs of one image: of one revision, one clock, one Dockerfile with
 * one set of options, and together all platforms that they declare, each once.
 */
#ifndef XB_MANIFEST_LEGS_H
#define XB_MANIFEST_LEGS_H

#include "base/array.h"
#include "base/error.h"
#include "manifest/leg.h"

/** Legs; starts as `{ 0 }`. */
struct xb_legs XB_ARRAY(struct xb_leg);

/** Release. */
void xb_legs_clear(struct xb_legs *legs);
#define xb_auto_legs XB_CLEANUP(xb_legs_clear)

/**
 * Check at least one leg. `revision` (NULL: any) is the one that they have to be of. What makes
 * their layers differ from those of one machine and is no fault is appended to `warnings`, as are
 * optional platforms that are missing. Errors: -EINVAL, fault proof, naming both files, or the
 * platforms that are missing.
 */
int xb_legs_check(const struct xb_legs *legs, const char *revision, struct xb_strv *warnings,
		  struct xb_error *err);

/**
 * The images of legs that were checked, in the order in which platforms are declared; appended to
 * `ret`.
 */
void xb_legs_manifests(const struct xb_legs *legs, struct xb_descriptors *ret);

#endif
