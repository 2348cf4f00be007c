/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Descriptors: what a document says of another blob - its type, its digest, its size.
 *
 * A descriptor that came out of xb_descriptor_from_json() has a well-formed media type, a valid
 * digest (sha256 or sha512, lower case) and a size of at most 2^53. Members that xbuild does not
 * know, and `urls` and `data`, which it never uses, are kept as they were and written again.
 * Source: OCI image-spec 1.1 descriptor.md, image-index.md ("platform").
 */
#ifndef XB_MANIFEST_DESCRIPTOR_H
#define XB_MANIFEST_DESCRIPTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/error.h"
#include "manifest/annotations.h"
#include "platforms/platform.h"

/** A descriptor; owns its strings. Starts as XB_DESCRIPTOR_INIT. */
struct xb_descriptor {
	char *media_type; /**< NULL only while empty */
	struct xb_digest digest;
	uint64_t size; /**< bytes */
	bool has_platform;
	struct xb_platform platform; /**< as the document spells it, not normalised */
	char *artifact_type;	     /**< or NULL */
	struct xb_annotations annotations;
	char *extra; /**< other members, a compact JSON object, or NULL */
};

#define XB_DESCRIPTOR_INIT ((struct xb_descriptor){ 0 })

/** Several descriptors, in the order of their document; starts as `{ 0 }`. */
struct xb_descriptors XB_ARRAY(struct xb_descriptor);

/** A descriptor of type `media_type` (copied); `d` must be empty. */
void xb_descriptor_init(struct xb_descriptor *d, const char *media_type,
			const struct xb_digest *digest, uint64_t size);
/** Release what it owns; it is then XB_DESCRIPTOR_INIT. */
void xb_descriptor_clear(struct xb_descriptor *d);
/** Make `d` (released first) a deep copy of `from`. */
void xb_descriptor_copy(struct xb_descriptor *d, const struct xb_descriptor *from);
/** Say for which platform it is. */
void xb_descriptor_set_platform(struct xb_descriptor *d, const struct xb_platform *platform);

#define xb_auto_descriptor XB_CLEANUP(xb_descriptor_clear)

/** Release all descriptors and the array. */
void xb_descriptors_clear(struct xb_descriptors *v);
/** Append a deep copy of `d`; returns it, borrowed until the next change. */
struct xb_descriptor *xb_descriptors_add(struct xb_descriptors *v, const struct xb_descriptor *d);
/** Make `v` (released first) a deep copy of `from`. */
void xb_descriptors_copy(struct xb_descriptors *v, const struct xb_descriptors *from);

#define xb_auto_descriptors XB_CLEANUP(xb_descriptors_clear)

/** Read a descriptor into `ret` (empty on entry, empty on failure). -EBADMSG naming the member. */
int xb_descriptor_from_json(const json_t *object, struct xb_descriptor *ret, struct xb_error *err);
/** A fresh object: mediaType, digest, size, annotations, platform, artifactType, others sorted. */
json_t *xb_descriptor_to_json(const struct xb_descriptor *d);

/** Read a platform object (`architecture`, `os`, `variant`, `os.version`, `os.features`). */
int xb_platform_from_json(const json_t *object, struct xb_platform *ret, struct xb_error *err);
/** A fresh platform object, in the order in which BuildKit writes it. */
json_t *xb_platform_to_json(const struct xb_platform *platform);

/** Whether this is what BuildKit attaches to an image (platform unknown/unknown), not an image. */
bool xb_descriptor_is_attestation(const struct xb_descriptor *d);

#endif
