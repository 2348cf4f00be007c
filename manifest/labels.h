/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Labels as annotations: what the images of an index say of themselves alike, the index says too.
 * Source: OCI image-spec 1.1 annotations.md, "Pre-Defined Annotation Keys".
 */
#ifndef XB_MANIFEST_LABELS_H
#define XB_MANIFEST_LABELS_H

#include "base/error.h"
#include "manifest/annotations.h"
#include "manifest/descriptor.h"
#include "manifest/place.h"

/**
 * Set in `ret` the labels `org.opencontainers.image.*` that every image of `manifests` has with one
 * value, but for ref.name, which names entries of layouts. Attestations and what is no image does
 * not count; without images there are none. Errors: those of reading, -EBADMSG.
 */
int xb_labels_common(struct xb_place *place, const struct xb_descriptors *manifests,
		     struct xb_annotations *ret, struct xb_error *err);

#endif
