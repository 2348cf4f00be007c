/* SPDX-License-Identifier: Apache-2.0 */
/** The root of a container whose changes are lost: of xbuild run, smoke tests and trials. */
#ifndef XB_BUILDER_CLI_CONTAINER_H
#define XB_BUILDER_CLI_CONTAINER_H

#include "base/array.h"
#include "builder/cache/snapshot.h"
#include "builder/cache/store.h"
#include "builder/sandbox/spec.h"

/**
 * Give `spec` the tree that `lowers` show (absolute paths, top first; none: an empty one) as its
 * root: what is changed is in memory above it, or in a copy of it where overlays cannot be used.
 * `scratch` (empty on entry) is then that copy, and the caller's to discard once nothing runs in
 * it; it may stay empty.
 */
int xb_container_root(struct xb_store *store, const struct xb_strv *lowers,
		      struct xb_snapshot *scratch, struct xb_sandbox_spec *spec,
		      struct xb_error *err);

#endif
