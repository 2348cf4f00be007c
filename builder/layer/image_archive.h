/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Image archives as places (manifest/place.h): OCI's and Docker's, read where they are.
 *
 * An archive is gone through once, from header to header; blobs are then read by their offsets, by
 * any number of threads, and nothing is unpacked. It must be a plain tar; what two readers could
 * take in two ways (a name twice, sparse members) is refused. Nothing can be written to one: an
 * archive that is to become another is written anew (xb_archive_write()).
 */
#ifndef XB_BUILDER_LAYER_IMAGE_ARCHIVE_H
#define XB_BUILDER_LAYER_IMAGE_ARCHIVE_H

#include "base/cleanup.h"
#include "base/error.h"
#include "manifest/archive.h"
#include "manifest/index.h"
#include "manifest/place.h"

/** The most members of an archive: no image has so many layers. */
#define XB_MAX_ARCHIVE_MEMBERS 100000

struct xb_archive;

/**
 * Open an OCI archive; its names are those of its index.json, and "" or NULL means its only image.
 * Errors: of opening; -EBADMSG: it is no such archive, or damaged; -EINVAL, fault usage:
 * compressed.
 */
int xb_archive_open(const char *path, struct xb_archive **ret, struct xb_error *err);
/** Likewise, of a file that is open for reading, which it takes over in any case; `name` is for
 *  messages. */
int xb_archive_open_fd(int fd, const char *name, struct xb_archive **ret, struct xb_error *err);
/**
 * Open a Docker archive for the image `name`, NULL being the only one, which is what every name
 * then resolves to. Errors: as xb_archive_open(); -ENOENT: it has no such image.
 */
int xb_archive_open_docker(const char *path, const char *name, struct xb_archive **ret,
			   struct xb_error *err);
/** Close; NULL is left alone. */
void xb_archive_free(struct xb_archive *archive);

XB_DEFINE_CLEANUP(xb_archive_cleanup, struct xb_archive, xb_archive_free)
#define xb_auto_archive XB_CLEANUP(xb_archive_cleanup)

/** It as a place, borrowed. */
struct xb_place *xb_archive_place(struct xb_archive *archive);
/** Its index.json, borrowed; empty for a Docker archive. */
const struct xb_index *xb_archive_index(const struct xb_archive *archive);

/**
 * Write the members `files`, whose blobs are in `from`, as an archive to `out_fd`: the same members
 * give the same bytes. Errors: of reading and writing.
 */
int xb_archive_write(const struct xb_export *files, struct xb_place *from, int out_fd,
		     struct xb_error *err);

#endif
