/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What of a COPY's source is copied: --exclude and --parents.
 *
 * Patterns are those of .dockerignore (builder/dockerfile/ignore.h), relative to the source. An
 * object is never changed after it was made: threads may share it.
 */
#ifndef XB_BUILDER_CONTEXT_SELECT_H
#define XB_BUILDER_CONTEXT_SELECT_H

#include "base/array.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "builder/context/filter.h"

struct xb_select;

/**
 * Make a selection of what matches `include` (NULL or "": all) and none of `excludes` (ends with
 * NULL). Errors: -EINVAL for a malformed pattern, fault source.
 */
int xb_select_new(const char *include, const char *const *excludes, struct xb_select **ret,
		  struct xb_error *err);
/** Release; NULL is left alone. */
void xb_select_free(struct xb_select *select);

XB_DEFINE_CLEANUP(xb_select_cleanup, struct xb_select, xb_select_free)
#define xb_auto_select XB_CLEANUP(xb_select_cleanup)

/**
 * The verdict on what lies at `below` the source ("" is the source itself, which is always taken).
 * `select` is a `const struct xb_select *`, or NULL for all: usable as a callback.
 */
enum xb_context_verdict xb_select_verdict(const void *select, const char *below, bool is_dir);

/**
 * Split a source of COPY --parents at its pivot: of "a/./b/c", or "b/c", the directory that is
 * copied from is "a" or ".", and the pattern of what is copied is "b/c". Both are malloc()ed.
 */
void xb_select_split(const char *source, char **ret_root, char **ret_pattern);

/**
 * The directories that a source of COPY --parents copies from, appended to `ret`, and the pattern
 * (malloc()ed) of what is copied of them. What a source without wildcards names has to be there.
 * Errors: as xb_context_expand().
 */
int xb_select_expand(int rootfd, const struct xb_context *context, const char *source,
		     struct xb_strv *ret, char **ret_pattern, struct xb_error *err);

#endif
