/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What a step gives: a stack of layers, each with its blob and, once a tree has been needed, its
 * snapshot. A result is made by one worker and never changes afterwards; anybody may then read it.
 */
#ifndef XB_BUILDER_SOLVE_RESULT_H
#define XB_BUILDER_SOLVE_RESULT_H

#include <stdbool.h>

#include "base/array.h"
#include "base/digest.h"
#include "builder/cache/record.h"
#include "manifest/descriptor.h"
#include "manifest/image.h"

/** One layer. */
struct xb_result_layer {
	struct xb_digest diff_id;
	struct xb_digest chain; /**< chain ID up to and with this layer */
	struct xb_digest blob;
	uint64_t blob_size;	     /**< bytes */
	char media_type[96];	     /**< OCI's spelling */
	struct xb_snapshot snapshot; /**< empty: a base image's layer, see trees.h, or one that was
					packed without a tree, which nobody wants */
	int64_t created;	     /**< seconds since 1970; 0 for a base image's */
};
struct xb_result_layers XB_ARRAY(struct xb_result_layer);

/** A step's result; starts as `{ 0 }`. */
struct xb_result {
	struct xb_result_layers layers; /**< bottom first */
	bool cached;			/**< it was there already */
	char *key; /**< of the step's own record, owned; NULL: it has none, or keys are not kept */
	char *apart; /**< of the record that needs no parent's tree, likewise */
};

/** Release. */
void xb_result_clear(struct xb_result *result);

/** The chain ID of all layers, borrowed; the empty digest for no layer. */
const struct xb_digest *xb_result_chain(const struct xb_result *result);
/** Make `result` (empty) the layers of `from`; NULL: none. */
void xb_result_copy(struct xb_result *result, const struct xb_result *from);
/** Put the layer of a record on top. */
void xb_result_push(struct xb_result *result, const struct xb_record *record);
/** Make `result` (empty) a tree that is no image's, `identity` standing for its chain ID. */
void xb_result_of_tree(struct xb_result *result, const struct xb_snapshot *snapshot,
		       const struct xb_digest *identity);
/** Make `result` (empty) the layers of a base image. */
void xb_result_of_image(struct xb_result *result, const struct xb_image *image);

#endif
