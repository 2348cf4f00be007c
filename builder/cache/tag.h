/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Tags: the results that the store keeps, by name, in its index.json, where any OCI tool finds
 * them. The name is the annotation org.opencontainers.image.ref.name; entries of other tools and
 * members that xbuild does not know are kept (manifest/layout.h).
 */
#ifndef XB_BUILDER_CACHE_TAG_H
#define XB_BUILDER_CACHE_TAG_H

#include "base/array.h"
#include "base/error.h"
#include "builder/cache/store.h"
#include "manifest/descriptor.h"

/** One tag: a name and what it means, an image index or an image manifest. */
struct xb_tag {
	char *name; /**< owned */
	struct xb_descriptor descriptor;
};

/** Tags in byte order of their names. */
struct xb_tags XB_ARRAY(struct xb_tag);

/** Release. */
void xb_tags_clear(struct xb_tags *tags);
#define xb_auto_tags XB_CLEANUP(xb_tags_clear)

/**
 * Let `name` mean a document, which is in the store (-ENOENT). Whole or not at all; what `name`
 * meant before loses it. Errors: -EINVAL for a name that index.json cannot hold.
 */
int xb_tag_set(struct xb_store *store, const char *name, const struct xb_descriptor *descriptor,
	       struct xb_error *err);
/** Find a tag; `ret` is empty on entry. Errors: -ENOENT. */
int xb_tag_get(struct xb_store *store, const char *name, struct xb_descriptor *ret,
	       struct xb_error *err);
/** Remove a tag; what it meant stays until collected. Errors: -ENOENT. */
int xb_tag_remove(struct xb_store *store, const char *name, struct xb_error *err);
/** All tags; entries without a name are left out. `ret` is empty on entry. */
int xb_tag_list(struct xb_store *store, struct xb_tags *ret, struct xb_error *err);

#endif
