/* SPDX-License-Identifier: Apache-2.0 */
/**
 * .dockerignore: which files of a context do not belong to it.
 *
 * A path is ignored when the last pattern that matches it or one of its parent directories does not
 * begin with "!". In patterns * and ? match within a name, ** any number of directories, [a-z] and
 * \ work as in COPY. Comparison is by bytes. An object is never changed after it was made: threads
 * may share it.
 * Source: Dockerfile reference, ".dockerignore files"; behaviour of moby/patternmatcher.
 */
#ifndef XB_BUILDER_DOCKERFILE_IGNORE_H
#define XB_BUILDER_DOCKERFILE_IGNORE_H

#include <stdbool.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

struct xb_ignore;

/**
 * Read the text of a .dockerignore; `path` is how messages name it.
 * Errors: -EINVAL with "PATH:LINE: ..." for a malformed pattern, -EFBIG above the limits; fault
 * source.
 */
int xb_ignore_parse(struct xb_view text, const char *path, struct xb_ignore **ret,
		    struct xb_error *err);

/** Make one from patterns. Errors as xb_ignore_parse(), without place. */
int xb_ignore_new(const struct xb_strv *patterns, struct xb_ignore **ret, struct xb_error *err);

/** Release; NULL is left alone. */
void xb_ignore_free(struct xb_ignore *ignore);

XB_DEFINE_CLEANUP(xb_ignore_cleanup, struct xb_ignore, xb_ignore_free)
#define xb_auto_ignore XB_CLEANUP(xb_ignore_cleanup)

/** The patterns of a text as they are understood: comments gone, cleaned, "/" in front removed. */
void xb_ignore_read(struct xb_view text, struct xb_strv *ret_patterns);

/**
 * Whether `path`, relative to the context and without "." and "..", is ignored. "" is the context
 * itself. Errors: -ENAMETOOLONG above XB_MAX_PATTERN.
 */
int xb_ignore_match(const struct xb_ignore *ignore, struct xb_view path, bool *ret_ignored,
		    struct xb_error *err);

/** Whether there is a "!" pattern. */
bool xb_ignore_has_exceptions(const struct xb_ignore *ignore);
/** Whether a pattern by itself ignores all that there is: "*", "**". */
bool xb_ignore_covers_all(const struct xb_ignore *ignore);
/**
 * Append the shortest path equal to `path` as text, as a pattern's is made: no slash in front and
 * at the end, no "." but alone; "/" stays.
 */
void xb_ignore_clean(struct xb_view path, struct xb_str *out);

/**
 * Whether something below the ignored directory `path` may not be ignored, because a "!" pattern
 * may match it; false means that the directory need not be walked.
 */
bool xb_ignore_may_descend(const struct xb_ignore *ignore, struct xb_view path);

#endif
