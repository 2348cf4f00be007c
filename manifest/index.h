/* SPDX-License-Identifier: Apache-2.0 */
/**
 * An image index: manifests by platform. Also the form of a layout's index.json.
 *
 * Accepts OCI's indexes and Docker's manifest lists, and refuses what manifest.h refuses.
 * Source: OCI image-spec 1.1 image-index.md.
 */
#ifndef XB_MANIFEST_INDEX_H
#define XB_MANIFEST_INDEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"
#include "manifest/annotations.h"
#include "manifest/descriptor.h"
#include "platforms/platform.h"

/** An index. Starts as XB_INDEX_INIT. */
struct xb_index {
	char *media_type;    /**< NULL is written as OCI's */
	char *artifact_type; /**< or NULL */
	struct xb_descriptors manifests;
	bool has_subject;
	struct xb_descriptor subject;
	struct xb_annotations annotations;
	char *extra; /**< other members, a JSON object, or NULL */
};

#define XB_INDEX_INIT ((struct xb_index){ 0 })

/** Release what it owns; it is then XB_INDEX_INIT. */
void xb_index_clear(struct xb_index *index);

#define xb_auto_index XB_CLEANUP(xb_index_clear)

/** Read an index into `ret` (empty on entry, empty on failure); as xb_manifest_parse(). */
int xb_index_parse(struct xb_view text, const char *media_type, struct xb_index *ret,
		   struct xb_error *err);
/** Append the document to `s`: schemaVersion, mediaType, artifactType, manifests, subject,
 *  annotations, others sorted; compact. -EFBIG when it does not fit. */
int xb_index_write(const struct xb_index *index, struct xb_str *s, struct xb_error *err);

/**
 * The entry that fits `wanted` best by xb_platform_rank(), the first of equals; attestations and
 * entries without a platform are passed over. `*ret` is borrowed from `index`.
 * Errors: -ENOENT, fault XB_FAULT_PLATFORM, with the platforms that there are in the message.
 */
int xb_index_select(const struct xb_index *index, const struct xb_platform *wanted,
		    const struct xb_descriptor **ret, struct xb_error *err);
/** As xb_index_select(), for a list of descriptors gathered from several indexes. */
int xb_descriptors_select(const struct xb_descriptors *v, const struct xb_platform *wanted,
			  const struct xb_descriptor **ret, struct xb_error *err);
/** Append the platforms of a list for a message: "linux/amd64, linux/arm64", or "none". */
void xb_descriptors_platforms(const struct xb_descriptors *v, struct xb_str *s);

/**
 * The media type of an index or a manifest that no descriptor tells of, by what the document itself
 * says; malloc()ed. -EBADMSG, as xb_manifest_parse(), when it is neither.
 */
int xb_index_document_type(struct xb_view text, char **ret, struct xb_error *err);

#endif
