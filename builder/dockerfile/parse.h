/* SPDX-License-Identifier: Apache-2.0 */
/**
 * From text to tree: the whole language of the Dockerfile reference, in time linear in the text.
 *
 * Parsing is two steps. The first knows how the operands of each instruction are split into words;
 * the second checks what each instruction allows (known flags, number of operands, stages, ONBUILD
 * triggers).
 *
 * Errors have fault XB_FAULT_SOURCE, the message "PATH:LINE:COLUMN: ...", the source line with a
 * caret as excerpt, and often a hint. A file above the limits of builder/dockerfile/limits.h or
 * with a NUL byte is refused.
 * Source: Dockerfile reference of frontend 1.26.
 */
#ifndef XB_BUILDER_DOCKERFILE_PARSE_H
#define XB_BUILDER_DOCKERFILE_PARSE_H

#include "base/error.h"
#include "base/str.h"
#include "builder/dockerfile/ast.h"

/**
 * Parse and check a Dockerfile. `path` is how messages name it. Text and path are copied.
 * Errors: -EINVAL (the text), -EFBIG (too large).
 */
int xb_dockerfile_parse(struct xb_view text, const char *path, struct xb_dockerfile **ret,
			struct xb_error *err);

/**
 * The first step alone: `instructions` is set, `stages` and `args` are empty, nothing is known of
 * flags and numbers of operands. For tools that show a Dockerfile as it is.
 */
int xb_dockerfile_parse_syntax(struct xb_view text, const char *path, struct xb_dockerfile **ret,
			       struct xb_error *err);

/**
 * As xb_dockerfile_parse(), but a text with a fault gives the tree of what stands before it, and
 * `ret_problem` (not NULL) gets the error; otherwise that stays as it is. Never NULL; the caller
 * releases it.
 */
struct xb_dockerfile *xb_dockerfile_parse_part(struct xb_view text, const char *path,
					       struct xb_error *ret_problem);

/** Release a tree with all that it holds; NULL is left alone. */
void xb_dockerfile_free(struct xb_dockerfile *dockerfile);

XB_DEFINE_CLEANUP(xb_dockerfile_cleanup, struct xb_dockerfile, xb_dockerfile_free)
#define xb_auto_dockerfile XB_CLEANUP(xb_dockerfile_cleanup)

#endif
