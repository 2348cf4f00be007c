/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Lines of a Dockerfile as its parser sees them: comments gone, directives taken, continuations
 * joined, and for each byte the place in the source that it came from.
 */
#ifndef XB_BUILDER_DOCKERFILE_LINE_H
#define XB_BUILDER_DOCKERFILE_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/error.h"
#include "base/str.h"
#include "builder/dockerfile/ast.h"

/** From byte `offset` of a joined line on, bytes stand at `line`, `column` on. */
struct xb_span {
	size_t offset;
	uint32_t line;
	uint32_t column;
};

struct xb_spans XB_ARRAY(struct xb_span);

struct xb_comments XB_ARRAY(struct xb_comment);

/** A joined line; start with XB_LINE_INIT and release with xb_line_clear(). */
struct xb_line {
	struct xb_str text;
	struct xb_spans spans;
	struct xb_comments comments; /**< above it, since the line before or an empty comment */
	uint32_t last;		     /**< the source line that it ends on */
	uint32_t blank;		     /**< the first blank source line within it, 0: none */
};

#define XB_LINE_INIT ((struct xb_line){ .text = XB_STR_INIT(XB_MAX_DOCKERFILE) })

/** Release what a line holds. */
void xb_line_clear(struct xb_line *line);
/** The place of the byte range [from, to) of a line. */
struct xb_location xb_line_at(const struct xb_line *line, size_t from, size_t to);

/** Reads the lines of a Dockerfile's text, and its directives while they may come. */
struct xb_line_reader {
	struct xb_dockerfile *dockerfile; /**< text and path are set; directives get set */
	struct xb_view rest;
	uint32_t number; /**< of the source line read last */
	bool directives; /**< the next line may be a directive */
	bool shebang;	 /**< the first line was one: only syntax and check count then */
};

/** A reader at the start of `dockerfile->text`. */
struct xb_line_reader xb_line_reader_init(struct xb_dockerfile *dockerfile);
/**
 * Read the next line that is not blank into `line`, replacing what it held. Returns 1, 0 at the end
 * of the text, or an error with its place: -EINVAL (a directive), -EFBIG (a line above the limit).
 */
int xb_line_reader_next(struct xb_line_reader *reader, struct xb_line *line, struct xb_error *err);
/** The next line of the source as it is, with its line end; false at the end of the text. */
bool xb_line_reader_raw(struct xb_line_reader *reader, struct xb_view *ret);

#endif
