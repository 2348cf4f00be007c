/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What image archives consist of: the list of files, in order, that a tar of an image holds. The
 * tar itself is written and read by builder/layer.
 *
 * An OCI archive is a layout as a tar. A Docker archive (`docker save`) is here the same layout
 * with a manifest.json beside it, as docker 25 and BuildKit write it: `docker load` and every
 * reader of docker-archives takes it, and so does every reader of OCI archives.
 */
#ifndef XB_MANIFEST_ARCHIVE_H
#define XB_MANIFEST_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/error.h"
#include "manifest/descriptor.h"
#include "manifest/index.h"
#include "manifest/place.h"

/** Where a file's bytes come from. */
enum xb_export_source {
	XB_EXPORT_DIRECTORY, /**< it has none: a directory */
	XB_EXPORT_MEMORY,    /**< `data` */
	XB_EXPORT_BLOB	     /**< the place's blob `blob` */
};

/** One member of an archive. */
struct xb_export_file {
	char *name; /**< relative, without "./"; a directory's ends with "/" */
	enum xb_export_source source;
	char *data;	       /**< `size` bytes, owned; NULL but for XB_EXPORT_MEMORY */
	struct xb_digest blob; /**< for XB_EXPORT_BLOB */
	char *media_type;      /**< likewise, owned */
	uint64_t size;	       /**< bytes */
};

/** An archive's members in their order; starts as `{ 0 }`. */
struct xb_export XB_ARRAY(struct xb_export_file);

/** Release all members. */
void xb_export_clear(struct xb_export *e);

#define xb_auto_export XB_CLEANUP(xb_export_clear)

/**
 * The members of an OCI archive of `root` (an index or a manifest of `place`), listed in its
 * index.json once for each of `tags`, or once without a name when there are none. A tag may be a
 * full reference: its tag is then the ref.name and the whole is containerd's name.
 * `ret` is empty on entry.
 */
int xb_export_oci(struct xb_place *place, const struct xb_descriptor *root,
		  const struct xb_strv *tags, struct xb_export *ret, struct xb_error *err);
/**
 * The members of a Docker archive of the image manifest `root` with the names `tags` (references
 * with a tag; none is allowed). -EINVAL, fault XB_FAULT_USAGE, when `root` is an index: such an
 * archive holds one platform.
 */
int xb_export_docker(struct xb_place *place, const struct xb_descriptor *root,
		     const struct xb_strv *tags, struct xb_export *ret, struct xb_error *err);

/** The members of an OCI archive whose index.json is `index`, all that it names being in `place`.
 */
int xb_export_index(struct xb_place *place, const struct xb_index *index, struct xb_export *ret,
		    struct xb_error *err);

#endif
