/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Wildcards of COPY and ADD sources, as Go's filepath.Match has them: * and ? (neither matches
 * "/"), [a-z], [^a-z], and \ before a character to be taken as it is.
 */
#ifndef XB_BUILDER_DOCKERFILE_GLOB_H
#define XB_BUILDER_DOCKERFILE_GLOB_H

#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"

/** Whether a pattern holds any of * ? [ unescaped; else it names one file. */
bool xb_glob_has_wildcard(const char *pattern);

/**
 * Whether `name` as a whole matches. Time is at most length of the pattern times length of the
 * name. A class never matches "/". Errors: -EINVAL for a malformed pattern, whatever the name;
 * -EFBIG above XB_MAX_PATTERN.
 */
int xb_glob_match(const char *pattern, const char *name, bool *ret, struct xb_error *err);

/** Append `pattern`, which has no wildcard, without its escapes. */
void xb_glob_unescape(const char *pattern, struct xb_str *out);

#endif
