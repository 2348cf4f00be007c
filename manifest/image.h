/* SPDX-License-Identifier: Apache-2.0 */
/**
 * An image of one platform: its manifest with its config; found, checked and stored as one.
 */
#ifndef XB_MANIFEST_IMAGE_H
#define XB_MANIFEST_IMAGE_H

#include <stdbool.h>

#include "base/error.h"
#include "manifest/config.h"
#include "manifest/descriptor.h"
#include "manifest/layout.h"
#include "manifest/manifest.h"
#include "manifest/place.h"
#include "platforms/platform.h"

/** How deep indexes may hold indexes, index.json not counted. */
#define XB_MAX_INDEX_DEPTH 3

/** An image. Starts as XB_IMAGE_INIT. manifest.layers and config.diff_ids have equal length. */
struct xb_image {
	struct xb_descriptor descriptor; /**< of the manifest, with the image's platform */
	struct xb_manifest manifest;
	struct xb_image_config config;
};

#define XB_IMAGE_INIT ((struct xb_image){ 0 })

/** Release what it owns; it is then XB_IMAGE_INIT. */
void xb_image_clear(struct xb_image *image);

#define xb_auto_image XB_CLEANUP(xb_image_clear)

/**
 * Find the image of `tag` (as xb_layout_resolve() takes it) for the platform `wanted`, and check
 * it: documents, digests and sizes, that its config has the platform that the index promises, a
 * diff ID for each layer, each layer of a known type and its blob there with the right size.
 * `wanted` NULL takes the only image there is. `ret` is empty on entry, and empty on failure.
 *
 * Errors: -ENOENT, fault XB_FAULT_PLATFORM: no image for the platform, the message lists those that
 * there are. -EINVAL, fault XB_FAULT_PLATFORM: config and index name different platforms; the
 * message names both. -EBADMSG: a bad document or blob. -ELOOP: indexes deeper than
 * XB_MAX_INDEX_DEPTH. What is not of platforms is of fault XB_FAULT_STORE.
 */
int xb_image_load(struct xb_place *place, const char *tag, const struct xb_platform *wanted,
		  struct xb_image *ret, struct xb_error *err);
/**
 * As xb_image_load(), from the descriptor of an index or a manifest. With `any` it is wanted in
 * spite of its platform: the image for `wanted` if there is one, else the only one, and its config
 * may be of another platform than its index says.
 */
int xb_image_load_at(struct xb_place *place, const struct xb_descriptor *root,
		     const struct xb_platform *wanted, bool any, struct xb_image *ret,
		     struct xb_error *err);
/**
 * As xb_image_load(), without looking for the layers' blobs, and starting from a descriptor (of an
 * index or a manifest).
 */
int xb_image_find(struct xb_place *place, const struct xb_descriptor *root,
		  const struct xb_platform *wanted, struct xb_image *ret, struct xb_error *err);
/** Whether each layer's blob is there with the right size. -ENOENT, -EBADMSG. */
int xb_image_check_layers(struct xb_place *place, const struct xb_image *image,
			  struct xb_error *err);

/**
 * All image manifests below `root`, in order; indexes below indexes are opened, each once.
 * Attestations are left out. Entries without a platform get that of their config.
 */
int xb_image_list(struct xb_place *place, const struct xb_descriptor *root,
		  struct xb_descriptors *ret, struct xb_error *err);

/** Read and verify the manifest that `descriptor` names; `ret` is empty on entry. */
int xb_image_read_manifest(struct xb_place *place, const struct xb_descriptor *descriptor,
			   struct xb_manifest *ret, struct xb_error *err);
/** Read and verify the config that `manifest` names; `ret` is empty on entry. */
int xb_image_read_config(struct xb_place *place, const struct xb_manifest *manifest,
			 struct xb_image_config *ret, struct xb_error *err);

/**
 * Whether a config is for the system and the processor that `found`, an entry of an index,
 * promises. -EINVAL, fault XB_FAULT_PLATFORM, naming both.
 */
int xb_image_check_platform(const struct xb_descriptor *found, const struct xb_image_config *config,
			    struct xb_error *err);

/** How documents are written; a set. */
enum xb_image_flags {
	XB_IMAGE_SYNC = 1,  /**< to the disk before the call returns */
	XB_IMAGE_DOCKER = 2 /**< with Docker's media types and not OCI's */
};

/**
 * Write an image's documents: its config, then its manifest over `layers` (bottom first; one for
 * each diff ID of `config`), whose blobs are there already. `annotations` (may be NULL) go into the
 * manifest. `ret` (empty on entry) gets the manifest's descriptor with its platform. `flags`: a set
 * of enum xb_image_flags.
 */
int xb_image_write(struct xb_layout *layout, const struct xb_image_config *config,
		   const struct xb_descriptors *layers, const struct xb_annotations *annotations,
		   unsigned flags, struct xb_descriptor *ret, struct xb_error *err);
/** Write a manifest as it is; `ret` (empty on entry) gets its descriptor, without a platform. */
int xb_image_write_manifest(struct xb_layout *layout, const struct xb_manifest *manifest, bool sync,
			    struct xb_descriptor *ret, struct xb_error *err);
/** Write an index over `manifests`; `ret` (empty on entry) gets its descriptor. */
int xb_image_write_index(struct xb_layout *layout, const struct xb_descriptors *manifests,
			 const struct xb_annotations *annotations, unsigned flags,
			 struct xb_descriptor *ret, struct xb_error *err);

/**
 * Every blob that `root` needs, itself last, each once: layers, configs, manifests, indexes, so
 * that whoever copies in this order never has a document before what it names. Attestations are
 * included. `ret` is empty on entry.
 */
int xb_image_blobs(struct xb_place *place, const struct xb_descriptor *root,
		   struct xb_descriptors *ret, struct xb_error *err);

#endif
