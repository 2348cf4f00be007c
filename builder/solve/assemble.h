/* SPDX-License-Identifier: Apache-2.0 */
/** From results to documents: config and manifest for each platform, an index over several. */
#ifndef XB_BUILDER_SOLVE_ASSEMBLE_H
#define XB_BUILDER_SOLVE_ASSEMBLE_H

#include <stdbool.h>
#include <stdint.h>

#include "builder/cache/catalog.h"
#include "builder/cache/store.h"
#include "builder/plan/plan.h"
#include "builder/solve/annotate.h"
#include "builder/solve/form.h"
#include "builder/solve/solve.h"
#include "manifest/annotations.h"
#include "manifest/descriptor.h"
#include "manifest/layout.h"
#include "manifest/place.h"

/** What a build made; starts as `{ 0 }`. */
struct xb_assembled {
	struct xb_descriptor root;	 /**< index, or the manifest of the only target */
	struct xb_descriptors manifests; /**< by target */
};

/** Release. */
void xb_assembled_clear(struct xb_assembled *a);
#define xb_auto_assembled XB_CLEANUP(xb_assembled_clear)

/** What the root over several images is; all borrowed. */
struct xb_assembled_root {
	bool index;				 /**< it is an index, also over one image */
	bool docker;				 /**< with Docker's media type */
	const struct xb_annotations *own;	 /**< annotations of the index */
	const struct xb_annotations *descriptor; /**< and of what names it */
	struct xb_place *labels; /**< where the images are whose common labels become annotations of
				      the index (manifest/labels.h); NULL: they do not */
};

/**
 * Write the root over `manifests` (at least one) into `layout`: an index, or nothing where the only
 * image is the root. `ret` (empty on entry) gets its descriptor. Errors: those of writing.
 */
int xb_assemble_root(struct xb_layout *layout, const struct xb_descriptors *manifests,
		     const struct xb_assembled_root *how, struct xb_descriptor *ret,
		     struct xb_error *err);

/** What is asked of xb_assemble(); a set. */
enum xb_assemble_flags {
	XB_ASSEMBLE_INDEX = 1, /**< the root is an index, also over one image */
	XB_ASSEMBLE_LABELS = 2 /**< common labels become annotations of the index */
};

/**
 * Write the documents of all targets into the store. `epoch` (SOURCE_DATE_EPOCH, -1: none) is the
 * time that they carry; without it that of the newest layer, so that a build that found everything
 * in the cache gives the same documents again. `annotate` (may be NULL) says which annotations go
 * where. `flags`: of enum xb_assemble_flags; over several targets the root always is an index.
 * Layers and media types are those of `form` (NULL: plain), whose blobs xb_solve() has made. Of
 * `steps` (may be NULL) each image gets the records of its layers (inline.h).
 */
int xb_assemble(struct xb_store *store, const struct xb_plan *plan,
		const struct xb_results *results, int64_t epoch, const struct xb_annotate *annotate,
		const struct xb_form *form, unsigned flags, const struct xb_catalog *steps,
		struct xb_assembled *ret, struct xb_error *err);

#endif
