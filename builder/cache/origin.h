/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Origins: from which repositories blobs came, or can be had that the store does not have.
 *
 * A base image's layers stay where they are until something needs their bytes; an image that
 * stands on them can be in the store all the same. What is noted here says where to get them, and
 * from where a registry may mount them. It is kept as long as a tag or a running process reaches
 * the blob, or the blob is there. Thread-safe, as the store is.
 */
#ifndef XB_BUILDER_CACHE_ORIGIN_H
#define XB_BUILDER_CACHE_ORIGIN_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/cache/store.h"
#include "manifest/descriptor.h"

/** Note that the repository `place` ("domain/path") has all of `blobs`, at once or not at all. */
int xb_origin_put(struct xb_store *store, const char *place, const struct xb_descriptors *blobs,
		  struct xb_error *err);
/** Append the names of the repositories that have a blob, the one that was noted last first. */
int xb_origin_find(struct xb_store *store, const struct xb_digest *blob, struct xb_strv *ret,
		   struct xb_error *err);
/** Whether there is any. */
bool xb_origin_known(struct xb_store *store, const struct xb_digest *blob);

/**
 * Forget what is of no use any more: blobs for which `wanted` says no and that are not in the
 * store. `wanted` must not use the store.
 */
int xb_origin_sweep(struct xb_store *store, bool (*wanted)(void *context, const char *digest),
		    void *context, struct xb_error *err);

#endif
