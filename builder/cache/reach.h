/* SPDX-License-Identifier: Apache-2.0 */
/** What tags and running processes reach; for the modules of this directory only. */
#ifndef XB_BUILDER_CACHE_REACH_H
#define XB_BUILDER_CACHE_REACH_H

#include <stdbool.h>

#include "base/error.h"
#include "base/map.h"
#include "builder/cache/lease.h"
#include "builder/cache/state.h"
#include "manifest/descriptor.h"

/** What is reached: digests, and the documents that were read. Starts zeroed. */
struct xb_reach {
	struct xb_map *digests;
	struct xb_descriptors queue;
};

/** Release. */
void xb_reach_clear(struct xb_reach *reach);
#define xb_auto_reach XB_CLEANUP(xb_reach_clear)

/**
 * All that index.json reaches, and that documents held by living processes do. A document that is
 * missing or broken reaches nothing: it is of no use to its tag either; one that cannot be read
 * just now is an error. Under the store lock, after xb_sweep_leases().
 */
int xb_reach_roots(struct xb_store *store, const struct xb_sweep *sweep, struct xb_reach *ret,
		   struct xb_error *err);
/** All that one document reaches, itself with it. */
int xb_reach_from(struct xb_store *store, const struct xb_descriptor *root, struct xb_reach *ret,
		  struct xb_error *err);
/** Whether a digest is reached. */
bool xb_reach_has(const struct xb_reach *reach, const char *digest);

#endif
