/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What names of images meant when a registry was asked last, for builds that may not ask.
 *
 * It is kept as long as the document is in the store. Thread-safe, as the store is.
 */
#ifndef XB_BUILDER_CACHE_NAME_H
#define XB_BUILDER_CACHE_NAME_H

#include "base/error.h"
#include "builder/cache/store.h"
#include "manifest/descriptor.h"

/** Note that `name` (a whole normalised reference) means the index or manifest `root`. */
int xb_name_put(struct xb_store *store, const char *name, const struct xb_descriptor *root,
		struct xb_error *err);
/**
 * What it meant. Returns 1 and fills `ret` (empty on entry) where that is known and the document is
 * in the store, which then holds it; else 0, or a negative errno.
 */
int xb_name_get(struct xb_store *store, const char *name, struct xb_descriptor *ret,
		struct xb_error *err);
/** Forget those whose documents are gone. */
int xb_name_sweep(struct xb_store *store, struct xb_error *err);

#endif
