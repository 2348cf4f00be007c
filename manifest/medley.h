/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A place made of others (manifest/place.h): documents that were made here, and blobs and documents
 * that are in other places, each known by its digest. So that a new index over images of many
 * places is copied and published as any other, and nothing is kept on the way.
 *
 * It is put together by one thread and then read by any number.
 */
#ifndef XB_MANIFEST_MEDLEY_H
#define XB_MANIFEST_MEDLEY_H

#include "base/error.h"
#include "base/str.h"
#include "manifest/descriptor.h"
#include "manifest/place.h"

struct xb_medley;

/** An empty one; `name` (copied) is for messages. Released by xb_medley_free(). */
struct xb_medley *xb_medley_new(const char *name);
/** Release; NULL is left alone. */
void xb_medley_free(struct xb_medley *medley);

XB_DEFINE_CLEANUP(xb_medley_cleanup, struct xb_medley, xb_medley_free)
#define xb_auto_medley XB_CLEANUP(xb_medley_cleanup)

/** It as a place, borrowed. It resolves no names. */
struct xb_place *xb_medley_place(struct xb_medley *medley);

/**
 * `root` and all that it names are in `place` (borrowed), unless they are known to be elsewhere.
 * All manifests and indexes are read. Errors: as xb_image_blobs().
 */
int xb_medley_add(struct xb_medley *medley, struct xb_place *place,
		  const struct xb_descriptor *root, struct xb_error *err);
/** One blob or document is in `place` (borrowed), unless it is known to be elsewhere. */
void xb_medley_add_one(struct xb_medley *medley, struct xb_place *place,
		       const struct xb_digest *digest);
/** A document that is nowhere else; `ret` (empty on entry) gets its descriptor. */
void xb_medley_make(struct xb_medley *medley, const char *media_type, struct xb_view bytes,
		    struct xb_descriptor *ret);

#endif
