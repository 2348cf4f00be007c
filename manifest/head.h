/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What manifests and indexes share: schema version, media type, subject, annotations, and lists of
 * descriptors. For the modules of manifest/ only.
 */
#ifndef XB_MANIFEST_HEAD_H
#define XB_MANIFEST_HEAD_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "manifest/annotations.h"
#include "manifest/descriptor.h"
#include "manifest/media.h"

/** Read member `key`, an array of descriptors; missing or null adds none. */
int xb_descriptors_from_json(const json_t *object, const char *key, struct xb_descriptors *ret,
			     struct xb_error *err);
/** A fresh array of descriptors. */
json_t *xb_descriptors_to_json(const struct xb_descriptors *v);

/** The members that manifests and indexes share, as pointers into either. */
struct xb_head {
	char **media_type;
	char **artifact_type;
	bool *has_subject;
	struct xb_descriptor *subject;
	struct xb_annotations *annotations;
};

/**
 * Read what is shared: schemaVersion must be 2, the media type must be of `kind` and agree with
 * `expected`, what the descriptor says (NULL: nothing); none of `foreign` (ends with NULL, members
 * of other kinds of documents) may be there.
 */
int xb_head_read(const json_t *root, enum xb_media_kind kind, const char *expected,
		 const char *const *foreign, const struct xb_head *head, struct xb_error *err);
/** Begin a document: a fresh object with schemaVersion, mediaType, artifactType. */
json_t *xb_head_begin(const struct xb_head *head, const char *default_type);
/** End it: subject and annotations. */
void xb_head_end(json_t *root, const struct xb_head *head);

#endif
