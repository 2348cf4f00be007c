/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Tags: the results that the store keeps, by name, in its index.json, so that any OCI tool finds
 * them. The name is the annotation org.opencontainers.image.ref.name; entries of other tools and
 * members that xbuild does not know are kept.
 */
#ifndef XB_BUILDER_CACHE_TAG_H
#define XB_BUILDER_CACHE_TAG_H

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/error.h"
#include "builder/cache/store.h"

/** One tag: a name and the descriptor of an image index or image manifest. */
struct xb_tag {
	char *name; /**< owned */
	char media_type[96];
	struct xb_digest digest;
	uint64_t size; /**< bytes of the document */
};

/** Tags in the order of their names; release with xb_tags_clear(). */
struct xb_tags XB_ARRAY(struct xb_tag);

/** Release. */
void xb_tags_clear(struct xb_tags *tags);
#define xb_auto_tags XB_CLEANUP(xb_tags_clear)

/**
 * Let `name` mean the document, which is in the store (-ENOENT). Whole or not at all; what `name`
 * meant before is untagged.
 */
int xb_tag_set(struct xb_store *store, const char *name, const char *media_type,
	       const struct xb_digest *digest, uint64_t size, struct xb_error *err);
/** Find a tag; `ret->name` stays NULL. Errors: -ENOENT. */
int xb_tag_get(struct xb_store *store, const char *name, struct xb_tag *ret, struct xb_error *err);
/** Remove a tag; what it meant stays until collected. Errors: -ENOENT. */
int xb_tag_remove(struct xb_store *store, const char *name, struct xb_error *err);
/** All tags. */
int xb_tag_list(struct xb_store *store, struct xb_tags *ret, struct xb_error *err);

#endif
