/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The press: pieces of a tar go in at one end, a blob comes out at the other, while a crew
 * compresses several pieces at once. For builder/layer/sink only.
 *
 * Each piece is compressed by itself, so that what comes out depends on the pieces alone and not on
 * who compressed them in which order. The memory it takes does not depend on the layer's size.
 */
#ifndef XB_BUILDER_LAYER_PRESS_H
#define XB_BUILDER_LAYER_PRESS_H

#include "base/cleanup.h"
#include "base/error.h"
#include "builder/layer/layer.h"

struct xb_press;

/**
 * Start a blob that is written to `out_fd` (borrowed); -1: only the tar's digest is wanted, and
 * nothing is compressed. -EINVAL, fault usage: the level is out of range.
 */
int xb_press_new(const struct xb_pack_options *options, int out_fd, struct xb_press **ret,
		 struct xb_error *err);
/** Release; what was not finished stays half written. NULL is left alone. */
void xb_press_free(struct xb_press *press);

XB_DEFINE_CLEANUP(xb_press_cleanup, struct xb_press, xb_press_free)
#define xb_auto_press XB_CLEANUP(xb_press_cleanup)

/** Bytes of the piece being filled; it is never full. */
size_t xb_press_len(const struct xb_press *press);
/** Where the piece's next bytes go; `*ret_len` (not 0) says how many of `wanted` fit. */
char *xb_press_room(struct xb_press *press, uint64_t wanted, size_t *ret_len);
/** So many bytes were put there; a full piece is ended. */
int xb_press_filled(struct xb_press *press, size_t len, struct xb_error *err);
/** End the piece here; nothing when it is empty. */
int xb_press_cut(struct xb_press *press, struct xb_error *err);
/** End the last piece and write what is left; fills `ret` but for its `entries`. */
int xb_press_finish(struct xb_press *press, struct xb_layer_info *ret, struct xb_error *err);

#endif
