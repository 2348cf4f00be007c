/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Copying an image, or an index with all that it names, from place to place.
 *
 * Blobs go first, several at a time; then manifests; then the indexes that name them: at no moment
 * does the target have a document without what it names. Bytes of documents are copied as they
 * are. What is there already is not sent.
 */
#ifndef XB_MANIFEST_COPY_H
#define XB_MANIFEST_COPY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "manifest/descriptor.h"
#include "manifest/place.h"
#include "manifest/watch.h"

/** How to copy; all is borrowed. Zeroed is good. */
struct xb_transfer_options {
	const atomic_bool *cancelled; /**< once it is true nothing more is begun; NULL: never */
	struct xb_transfer_watch watch;
};

/**
 * Copy `root` and all that it names. Errors: those of the places, -ECANCELED (fault interrupted).
 * What was copied before an error stays, unnamed.
 */
int xb_copy_image(struct xb_place *to, struct xb_place *from, const struct xb_descriptor *root,
		  const struct xb_transfer_options *options, struct xb_error *err);

#endif
