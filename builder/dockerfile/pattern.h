/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The patterns of ${v#p}, ${v%p} and ${v/p/r}: * is any run of characters, ? is any one, neither
 * matches a newline, and an escape character makes * ? \ / } stand for themselves.
 * The work is bounded by `steps`: -EFBIG above. A malformed pattern is -EINVAL.
 */
#ifndef XB_BUILDER_DOCKERFILE_PATTERN_H
#define XB_BUILDER_DOCKERFILE_PATTERN_H

#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"

/** A pattern and what it is applied to. */
struct xb_pattern_job {
	struct xb_view pattern;
	struct xb_view value;
	char escape;   /**< an escape character beside the backslash */
	size_t *steps; /**< that may be taken still; made less by those that were */
};

/** Append the value without the shortest or longest start (or end) that matches. */
int xb_pattern_trim(const struct xb_pattern_job *job, bool at_end, bool longest, struct xb_str *out,
		    struct xb_error *err);

/** Append the value with the first match, or all, replaced; each match is the longest there is. */
int xb_pattern_replace(const struct xb_pattern_job *job, struct xb_view replacement, bool all,
		       struct xb_str *out, struct xb_error *err);

#endif
