/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What one leg of a build leaves: a small file that says which images it made, where their bytes
 * are, and of what, so that several of them can be joined to the index that one machine would make
 * (manifest/legs.h). The format is that of docs/decisions/0041.
 *
 * A leg that came out of xb_leg_parse() is consistent in itself: its images are for distinct
 * platforms of the declared ones, each an image manifest; files are named by paths that lead
 * downwards; nothing in it is unknown.
 */
#ifndef XB_MANIFEST_LEG_H
#define XB_MANIFEST_LEG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/str.h"
#include "manifest/annotations.h"
#include "manifest/descriptor.h"
#include "platforms/platform.h"

/** The largest file that is read: 1 MiB. */
#define XB_MAX_LEG ((size_t)1 << 20)

/** One platform of the whole. */
struct xb_leg_platform {
	struct xb_platform platform; /**< normalised */
	bool optional;		     /**< written "linux/s390x?": it may be missing in the end */
};
struct xb_leg_platforms XB_ARRAY(struct xb_leg_platform);

/** Where all images of a leg are; one of them is set. Owned. Paths are relative to the directory
 * that the leg's file is in, and lead downwards. */
struct xb_leg_place {
	char *repository; /**< of a registry, "localhost:5000/team/app" */
	char *layout;	  /**< a layout's directory */
	char *archive;	  /**< an OCI archive */
};
struct xb_leg_places XB_ARRAY(struct xb_leg_place);

/** The index that the whole becomes. */
struct xb_leg_index {
	bool wanted;			  /**< false: the only image is the result */
	bool docker;			  /**< with Docker's media type */
	bool unlabelled;		  /**< labels of its images do not annotate it */
	struct xb_annotations own;	  /**< its annotations */
	struct xb_annotations descriptor; /**< those of what names it */
};

/** A leg; starts as `{ 0 }`, owns what it holds. */
struct xb_leg {
	char *name; /**< of the file, for messages; not part of it */
	char *revision;
	uint64_t epoch;			   /**< SOURCE_DATE_EPOCH, in seconds */
	struct xb_digest dockerfile;	   /**< of the Dockerfile's text */
	struct xb_digest arguments;	   /**< of the options that the images depend on */
	char *version;			   /**< of xbuild */
	struct xb_annotations libraries;   /**< versions of what compresses layers */
	struct xb_leg_platforms platforms; /**< of the whole, in the index's order */
	struct xb_leg_index index;
	struct xb_leg_places places; /**< each has all of `manifests` */
	struct xb_descriptors manifests;
};

/** Release; it is then `{ 0 }`. */
void xb_leg_clear(struct xb_leg *leg);
#define xb_auto_leg XB_CLEANUP(xb_leg_clear)

/** Index of the declared platform that `platform`, normalised, is; -1: none. */
ptrdiff_t xb_leg_declared(const struct xb_leg *leg, const struct xb_platform *platform);

/**
 * Read a leg into `ret` (empty on entry, empty on failure). Errors, fault proof: -EBADMSG (not as
 * docs/decisions/0041 has it; the message says where), -EFBIG above XB_MAX_LEG, -ENOTSUP for
 * another version of the format.
 */
int xb_leg_parse(struct xb_view text, struct xb_leg *ret, struct xb_error *err);
/** Append the file's text: the same bytes for the same leg. */
int xb_leg_write(const struct xb_leg *leg, struct xb_str *text, struct xb_error *err);

#endif
