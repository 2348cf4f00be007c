/* SPDX-License-Identifier: Apache-2.0 */
/** Characters of UTF-8 text, for the modules of this directory. */
#ifndef XB_BUILDER_DOCKERFILE_TEXT_H
#define XB_BUILDER_DOCKERFILE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/** A byte that is not part of valid UTF-8 is the character XB_RUNE_BYTE + byte. */
#define XB_RUNE_BYTE 0x110000u

/** Decode the character at `*pos` (below text.len) and move `*pos` behind it. */
uint32_t xb_rune_next(struct xb_view text, size_t *pos);
/** Append a character as xb_rune_next() gives it; what is not valid UTF-8 comes out as it was. */
void xb_rune_append(struct xb_str *s, uint32_t rune);
/** Whether a character is white space (Unicode property White_Space). */
bool xb_rune_is_space(uint32_t rune);
/**
 * Whether a character may stand in a variable's name: a letter, a digit or "_". Beyond ASCII all
 * but spaces, punctuation, symbols and emoji count as letters; the ranges are coarse.
 */
bool xb_rune_is_name(uint32_t rune);
/** Whether a character shows on a terminal. */
bool xb_rune_is_print(uint32_t rune);

/** Bytes of the white space character at `pos`, 0 when none is there. */
size_t xb_text_space(struct xb_view text, size_t pos);
/** Move `*from` and `*to` inward past white space. */
void xb_text_trim(struct xb_view text, size_t *from, size_t *to);

/** Append `text` in double quotes, with escapes, as Go's %q writes it. */
void xb_text_quote(struct xb_view text, struct xb_str *out);

#endif
