/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The forms of layers: an image's layers as an output wants them, compressed so or so.
 *
 * A layer that a step made has its plain form (gzip at its default level) in the step's record. Any
 * other form, of any layer, has a record of its own, whose key names the method, the library, the
 * level and the layer's tar: so it is found again whatever step or base the layer is of.
 */
#ifndef XB_BUILDER_SOLVE_FORM_H
#define XB_BUILDER_SOLVE_FORM_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/layer/layer.h"
#include "builder/solve/result.h"
#include "builder/solve/shared.h"
#include "manifest/descriptor.h"

/** How an output wants its layers; `{ 0 }` is plain. */
struct xb_form {
	enum xb_compression compression;
	int level;   /**< 0: the default of the compression */
	bool force;  /**< layers of the base likewise; else they stay as they came */
	bool docker; /**< Docker's media types and not OCI's */
};
struct xb_forms XB_ARRAY(struct xb_form);

/** Whether layers are wanted as steps' records have them. */
bool xb_form_is_plain(const struct xb_form *form);
/** Whether two forms give the same bytes of layers and documents. */
bool xb_form_eq(const struct xb_form *a, const struct xb_form *b);
/** The number of `form` in `forms`; it is added where it is not there. */
size_t xb_forms_add(struct xb_forms *forms, const struct xb_form *form);

/**
 * Whether the layer needs a blob of this form besides the one that it has: a layer of a step when
 * the form is not plain, one of a base (without a snapshot) when the form is forced and is not what
 * its media type says already.
 */
bool xb_form_wanted(const struct xb_form *form, const struct xb_result_layer *layer);
/**
 * See to it that the blob of such a layer is in the store: look for it, else pack the step's
 * snapshot, or decode the base's blob and compress it anew. Waits for whoever is at the same.
 * Errors: -ECANCELED; those of the store.
 */
int xb_form_make(struct xb_step_shared *shared, const struct xb_form *form,
		 const struct xb_result_layer *layer, struct xb_error *err);
/** The layer as the manifest of an image of this form names it. -ENOENT: it was not made. */
int xb_form_descriptor(struct xb_store *store, const struct xb_form *form,
		       const struct xb_result_layer *layer, struct xb_descriptor *ret,
		       struct xb_error *err);

#endif
