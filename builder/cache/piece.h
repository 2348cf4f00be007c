/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Pieces: which parts of the store's blobs are the compressed form of what, so that a layer in
 * which little changed is made of copies (builder/layer/sink.h says where layers are cut).
 *
 * What is remembered is a help and never a promise: the blob may have been collected, or have
 * decayed, which the check sum shows. Thread-safe.
 */
#ifndef XB_BUILDER_CACHE_PIECE_H
#define XB_BUILDER_CACHE_PIECE_H

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/error.h"
#include "builder/cache/store.h"

/** A piece of a blob; a plain value. */
struct xb_piece {
	struct xb_digest digest; /**< of the piece and how it is compressed */
	uint64_t at;		 /**< where its compressed form begins in the blob */
	size_t len;		 /**< bytes of it */
	uint32_t check;		 /**< its CRC-32 */
};
struct xb_pieces XB_ARRAY(struct xb_piece);

/**
 * Read the compressed form of a piece into `out`. Returns its length and fills *ret_check, or 0
 * where it is not known, not there any more, or longer than `cap`.
 */
size_t xb_piece_find(struct xb_store *store, const struct xb_digest *digest, void *out, size_t cap,
		     uint32_t *ret_check);
/** Remember the pieces of a published blob, in the place of what was known of them. */
int xb_piece_put(struct xb_store *store, const struct xb_digest *blob,
		 const struct xb_pieces *pieces, struct xb_error *err);
/** Forget the pieces of blobs that are not there any more. */
int xb_piece_sweep(struct xb_store *store, struct xb_error *err);

#endif
