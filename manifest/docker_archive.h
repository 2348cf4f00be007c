/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What a Docker archive (`docker save`) says of its images: manifest.json names for each a config
 * and layers, which are files of the archive. The manifest that such an image has elsewhere is made
 * here: the same files give the same one. How files are got at is the caller's.
 */
#ifndef XB_MANIFEST_DOCKER_ARCHIVE_H
#define XB_MANIFEST_DOCKER_ARCHIVE_H

#include <stddef.h>

#include "base/error.h"
#include "base/str.h"
#include "manifest/manifest.h"
#include "manifest/media.h"
#include "platforms/platform.h"

/** The files; `context` is given to the calls. */
struct xb_docker_files {
	void *context;
	/** Append a file to `text`, which bounds its size. -ENOENT, -EFBIG, -EBADMSG. */
	int (*read)(void *context, const char *name, struct xb_str *text, struct xb_error *err);
	/**
	 * The descriptor of a layer: its type by its first bytes, its size, its digest. One that is
	 * not compressed has the digest `diff_id`; whoever reads it checks that. `ret` is empty.
	 */
	int (*layer)(void *context, const char *name, const struct xb_digest *diff_id,
		     struct xb_descriptor *ret, struct xb_error *err);
};

/** How a layer is compressed, by its first bytes. */
enum xb_media_compression xb_docker_layer_compression(const void *start, size_t len);

/** An image of an archive; starts as XB_DOCKER_IMAGE_INIT. */
struct xb_docker_image {
	struct xb_manifest manifest;
	struct xb_str config; /**< the bytes of its config */
	struct xb_platform platform;
};
#define XB_DOCKER_IMAGE_INIT ((struct xb_docker_image){ .config = XB_STR_INIT(XB_MAX_MANIFEST) })

/** Release. */
void xb_docker_image_clear(struct xb_docker_image *image);
#define xb_auto_docker_image XB_CLEANUP(xb_docker_image_clear)

/**
 * Read the image `name` (one of its RepoTags; NULL: the only one) into `ret`, XB_DOCKER_IMAGE_INIT
 * on entry. Errors: -ENOENT, -EINVAL for a name that is none, -EBADMSG.
 */
int xb_docker_archive_read(const struct xb_docker_files *files, const char *name,
			   struct xb_docker_image *ret, struct xb_error *err);

#endif
