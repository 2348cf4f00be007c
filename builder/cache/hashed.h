/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Which blobs of the store this process has hashed itself, while it wrote or checked them, so that
 * it does not read them through again when it hands them out. For builder/cache and those who give
 * blobs away.
 *
 * A blob is known by its digest with the device, inode, size and times of its file: one that was
 * touched since is not known any more. Nothing of it outlives the process. Thread-safe.
 */
#ifndef XB_BUILDER_CACHE_HASHED_H
#define XB_BUILDER_CACHE_HASHED_H

#include <stdbool.h>

#include "base/digest.h"

struct xb_store;

/** Note that the file `fd`, which has its name in the store, was found to have `digest`. */
void xb_blob_hashed_note(struct xb_store *store, const struct xb_digest *digest, int fd);
/** Whether that was noted of the file `fd`, and nothing has changed it since. */
bool xb_blob_hashed(struct xb_store *store, const struct xb_digest *digest, int fd);
/** Forget all of it, when the store is closed. */
void xb_blob_hashed_clear(struct xb_store *store);

#endif
