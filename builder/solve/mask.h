/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Keeping secrets out of the log: what a step prints passes through here.
 *
 * Masked are a secret's lines (a secret of one line: that), without the white space at their ends,
 * wherever they occur. Of a secret of several lines, a line of less than four bytes is masked only
 * where it is a whole line of output: "{" is no secret. What a program does to a secret (encoding,
 * splitting it) cannot be seen.
 */
#ifndef XB_BUILDER_SOLVE_MASK_H
#define XB_BUILDER_SOLVE_MASK_H

#include "base/array.h"
#include "base/str.h"
#include "builder/solve/secret.h"

/** What stands for a secret. */
#define XB_MASK_TEXT "***"

/** A mask; starts as `{ 0 }`. Its views are of the secrets, which must outlive it. */
struct xb_mask {
	struct xb_mask_views XB_ARRAY(struct xb_view) anywhere; /**< longest first */
	struct xb_mask_views lines;				/**< whole lines */
	size_t longest;						/**< bytes of the longest */
};

/** Make the mask (empty) of `secrets`; NULL: of none. */
void xb_mask_init(struct xb_mask *mask, const struct xb_secrets *secrets);
/** Release. */
void xb_mask_clear(struct xb_mask *mask);

/**
 * Append a piece of a line to `out`, masked. With `more` the line goes on: the last bytes, which
 * may be the start of a secret, are left for the next piece. Returns how many bytes of `piece` were
 * taken.
 */
size_t xb_mask_piece(const struct xb_mask *mask, struct xb_view piece, bool more,
		     struct xb_str *out);

#endif
