/* SPDX-License-Identifier: Apache-2.0 */
/**
 * An image manifest: one platform's config and layers.
 *
 * Accepts OCI's and Docker's (version 2, schema 2) documents. What is ambiguous is refused, since
 * two tools would read it in two ways: `manifests` beside `layers` or `config`, keys that occur
 * twice or differ only in case from a known one, a media type that contradicts the descriptor.
 * Source: OCI image-spec 1.1 manifest.md.
 */
#ifndef XB_MANIFEST_MANIFEST_H
#define XB_MANIFEST_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"
#include "manifest/annotations.h"
#include "manifest/descriptor.h"

/** The largest manifest or index that is read: 4 MiB. */
#define XB_MAX_MANIFEST ((size_t)4 << 20)

/** A manifest. Starts as XB_MANIFEST_INIT. */
struct xb_manifest {
	char *media_type;    /**< NULL is written as OCI's */
	char *artifact_type; /**< or NULL */
	struct xb_descriptor config;
	struct xb_descriptors layers; /**< bottom first */
	bool has_subject;
	struct xb_descriptor subject;
	struct xb_annotations annotations;
	char *extra; /**< other members, a JSON object, or NULL */
};

#define XB_MANIFEST_INIT ((struct xb_manifest){ 0 })

/** Release what it owns; it is then XB_MANIFEST_INIT. */
void xb_manifest_clear(struct xb_manifest *m);
/** Make `m` (released first) a deep copy of `from`. */
void xb_manifest_copy(struct xb_manifest *m, const struct xb_manifest *from);

#define xb_auto_manifest XB_CLEANUP(xb_manifest_clear)

/**
 * Read a manifest into `ret` (empty on entry, empty on failure). `media_type` is what the
 * descriptor that led here says, NULL when nothing did.
 * Errors: -EBADMSG (what the head of this file lists, schemaVersion other than 2, bad descriptors),
 * -EFBIG above XB_MAX_MANIFEST.
 */
int xb_manifest_parse(struct xb_view text, const char *media_type, struct xb_manifest *ret,
		      struct xb_error *err);
/** Append the document to `s`: schemaVersion, mediaType, artifactType, config, layers, subject,
 *  annotations, others sorted; compact. -EFBIG when it does not fit. */
int xb_manifest_write(const struct xb_manifest *m, struct xb_str *s, struct xb_error *err);

/**
 * Whether this is an image that can be unpacked and run: its config an image config, every layer of
 * a known layer type. 0, or -EBADMSG saying which is not.
 */
int xb_manifest_check_image(const struct xb_manifest *m, struct xb_error *err);

#endif
