/* SPDX-License-Identifier: Apache-2.0 */
/** Here-documents: finding them in a line, reading their contents. For the parser. */
#ifndef XB_BUILDER_DOCKERFILE_HEREDOC_H
#define XB_BUILDER_DOCKERFILE_HEREDOC_H

#include "base/arena.h"
#include "base/array.h"
#include "base/error.h"
#include "builder/dockerfile/ast.h"
#include "builder/dockerfile/line.h"

struct xb_heredoc_list XB_ARRAY(struct xb_heredoc);

/**
 * Read a word such as `<<EOF`, `3<<-'EOF'`: returns 1 with all but the contents and the place set
 * (strings from `arena`), 0 when it is no here-document, or -EINVAL (unterminated quotes).
 */
int xb_heredoc_read_word(struct xb_view word, struct xb_arena *arena, struct xb_heredoc *ret,
			 struct xb_error *err);

/**
 * Append the here-documents that a line begins, in order, without contents. A line that cannot be
 * split into words, such as one with an open quote, begins none.
 */
int xb_heredoc_find(const struct xb_line *line, struct xb_arena *arena,
		    struct xb_heredoc_list *heredocs, struct xb_error *err);

/**
 * Read the contents of `heredoc` from the lines that follow. Returns 1, or 0 when its end is
 * missing.
 */
int xb_heredoc_read(struct xb_line_reader *reader, struct xb_heredoc *heredoc);

#endif
