/* SPDX-License-Identifier: Apache-2.0 */
/** Splitting the operands of an instruction into words, for the parser. */
#ifndef XB_BUILDER_DOCKERFILE_WORDS_H
#define XB_BUILDER_DOCKERFILE_WORDS_H

#include <stddef.h>

#include "base/arena.h"
#include "base/array.h"
#include "builder/dockerfile/ast.h"
#include "builder/dockerfile/line.h"

struct xb_word_list XB_ARRAY(struct xb_word);
struct xb_flag_list XB_ARRAY(struct xb_flag);

/** The bytes [from, to) of a line, and where what is made of them lives. */
struct xb_operand_text {
	const struct xb_line *line;
	size_t from;
	size_t to;
	struct xb_arena *arena;
	char escape;
};

/** The text as a view. */
struct xb_view xb_operand_view(const struct xb_operand_text *text);
/** The word made of the bytes [from, to) of the line. */
struct xb_word xb_operand_word(const struct xb_operand_text *text, size_t from, size_t to);
/** Take white space off both ends. */
void xb_operand_trim(struct xb_operand_text *text);
/** The end of the run of bytes other than the blanks that part words, from `from` on. */
size_t xb_operand_blank(const struct xb_operand_text *text, size_t from);
/** The end of the run of blanks from `from` on. */
size_t xb_operand_solid(const struct xb_operand_text *text, size_t from);

/** Append the words between blanks; quotes mean nothing. */
void xb_operand_split(const struct xb_operand_text *text, struct xb_word_list *words);
/** Append the words between white space outside quotes; quotes and escapes stay in the words. */
void xb_operand_split_quoted(const struct xb_operand_text *text, struct xb_word_list *words);
/** Take the words that begin with "--" off the front, unquoted; "--" alone ends them. */
void xb_operand_take_flags(struct xb_operand_text *text, struct xb_flag_list *flags);

#endif
