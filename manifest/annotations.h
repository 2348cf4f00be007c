/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Annotations and labels: names with values, in the order in which they were set, each name once.
 *
 * Documents are written with the names sorted by byte value, so that the order of insertion never
 * changes a digest. Names and values are owned, NUL-terminated UTF-8.
 * Source: OCI image-spec 1.1 annotations.md.
 */
#ifndef XB_MANIFEST_ANNOTATIONS_H
#define XB_MANIFEST_ANNOTATIONS_H

#include <jansson.h>

#include "base/array.h"
#include "base/error.h"

/** The tag of an entry of a layout's index.json. */
#define XB_ANNOTATION_REF_NAME "org.opencontainers.image.ref.name"
/** The full name under which containerd (`ctr`, `docker load`) knows an entry of index.json. */
#define XB_ANNOTATION_CONTAINERD_NAME "io.containerd.image.name"
/** What BuildKit's attestation manifests say they are ("attestation-manifest"). */
#define XB_ANNOTATION_REFERENCE_TYPE "vnd.docker.reference.type"
/** And what they are of: the digest of a manifest. */
#define XB_ANNOTATION_REFERENCE_DIGEST "vnd.docker.reference.digest"

/** One name with its value. */
struct xb_annotation {
	char *name;
	char *value;
};

/** Annotations or labels; starts as `{ 0 }`. */
struct xb_annotations XB_ARRAY(struct xb_annotation);

/** Release names, values and memory; the set is then empty and usable again. */
void xb_annotations_clear(struct xb_annotations *a);

#define xb_auto_annotations XB_CLEANUP(xb_annotations_clear)

/** The value of `name`, borrowed until the next change, or NULL. */
const char *xb_annotations_get(const struct xb_annotations *a, const char *name);
/** Set `name` to a copy of `value`, in its old place when it is there, else at the end. */
void xb_annotations_set(struct xb_annotations *a, const char *name, const char *value);
/** Remove `name`; returns whether it was there. */
bool xb_annotations_unset(struct xb_annotations *a, const char *name);
/** Make `a` (released first) a deep copy of `from`. */
void xb_annotations_copy(struct xb_annotations *a, const struct xb_annotations *from);

/**
 * Read member `key` of `object`, an object of strings, into `ret` (empty on entry). Missing or null
 * gives none. -EBADMSG for anything else, naming the key.
 */
int xb_annotations_from_json(const json_t *object, const char *key, struct xb_annotations *ret,
			     struct xb_error *err);
/** A fresh object with the names sorted; NULL when there are none. */
json_t *xb_annotations_to_json(const struct xb_annotations *a);

#endif
