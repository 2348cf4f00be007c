/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Media types of images: what each names, how its bytes are compressed, and whose spelling it is.
 *
 * OCI's and Docker's types say the same things in two spellings; everything else in xbuild asks
 * this table instead of comparing strings. Source: OCI image-spec 1.1 media-types.md; Docker "Image
 * Manifest Version 2, Schema 2".
 */
#ifndef XB_MANIFEST_MEDIA_H
#define XB_MANIFEST_MEDIA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define XB_MEDIA_OCI_INDEX	   "application/vnd.oci.image.index.v1+json"
#define XB_MEDIA_OCI_MANIFEST	   "application/vnd.oci.image.manifest.v1+json"
#define XB_MEDIA_OCI_CONFIG	   "application/vnd.oci.image.config.v1+json"
#define XB_MEDIA_OCI_LAYER	   "application/vnd.oci.image.layer.v1.tar"
#define XB_MEDIA_OCI_LAYER_GZIP	   "application/vnd.oci.image.layer.v1.tar+gzip"
#define XB_MEDIA_OCI_LAYER_ZSTD	   "application/vnd.oci.image.layer.v1.tar+zstd"
#define XB_MEDIA_DOCKER_INDEX	   "application/vnd.docker.distribution.manifest.list.v2+json"
#define XB_MEDIA_DOCKER_MANIFEST   "application/vnd.docker.distribution.manifest.v2+json"
#define XB_MEDIA_DOCKER_CONFIG	   "application/vnd.docker.container.image.v1+json"
#define XB_MEDIA_DOCKER_LAYER	   "application/vnd.docker.image.rootfs.diff.tar"
#define XB_MEDIA_DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define XB_MEDIA_DOCKER_LAYER_ZSTD "application/vnd.docker.image.rootfs.diff.tar.zstd"

/** What a document or blob is. */
enum xb_media_kind {
	XB_MEDIA_UNKNOWN =
		0, /**< not in the table: an artifact's blob, or a type from the future */
	XB_MEDIA_INDEX,
	XB_MEDIA_MANIFEST,
	XB_MEDIA_CONFIG,
	XB_MEDIA_LAYER
};

/** How a layer's tar is compressed. */
enum xb_media_compression { XB_MEDIA_PLAIN = 0, XB_MEDIA_GZIP, XB_MEDIA_ZSTD };

/** One row of the table. */
struct xb_media {
	const char *name;
	enum xb_media_kind kind;
	enum xb_media_compression compression;
	bool docker;  /**< Docker's spelling */
	bool foreign; /**< a layer that is not to be distributed; its `urls` are never fetched */
};

/**
 * The row of `media_type`; never NULL (an unknown or NULL type gives a row of kind
 * XB_MEDIA_UNKNOWN). The row is static. Parameters (";…") are not part of OCI media types and make
 * it unknown.
 */
const struct xb_media *xb_media_lookup(const char *media_type);
/** xb_media_lookup()'s kind alone. */
enum xb_media_kind xb_media_kind(const char *media_type);
/** The type of a layer that is compressed so, in OCI's or Docker's spelling; static. */
const char *xb_media_layer(enum xb_media_compression compression, bool docker);
/** "index", "manifest", "config", "layer", "unknown": for messages; static. */
const char *xb_media_kind_name(enum xb_media_kind kind);
/** Whether `text` has the form of a media type (RFC 6838 section 4.2), known or not. */
bool xb_media_type_valid(struct xb_view text);

#endif
