/* SPDX-License-Identifier: Apache-2.0 */
/** A repository of a registry as a place (manifest/place.h). */
#ifndef XB_MANIFEST_REGISTRY_PLACE_H
#define XB_MANIFEST_REGISTRY_PLACE_H

#include "manifest/place.h"
#include "manifest/reference.h"

struct xb_registry;

/**
 * The repository of `ref` (domain and path) at its registry; `registry` is borrowed, the place is
 * the caller's. Names in it are tags and digests, NULL is "latest".
 *
 * Documents that a name was resolved to are kept, so that reading them asks nobody again.
 */
struct xb_place *xb_registry_place_new(struct xb_registry *registry,
				       const struct xb_reference *ref);

#endif
