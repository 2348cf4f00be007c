/* SPDX-License-Identifier: Apache-2.0 */
/** What the ignore rules of a build context say of a path. */
#ifndef XB_BUILDER_CONTEXT_FILTER_H
#define XB_BUILDER_CONTEXT_FILTER_H

#include <stdbool.h>

/** A build context; see builder/context/context.h. */
struct xb_context;

/** Whether the context has ignore rules; NULL has none. */
bool xb_context_has_rules(const struct xb_context *context);

/** What the ignore rules say of a path. */
enum xb_context_verdict {
	XB_CONTEXT_TAKE,   /**< it belongs to the context */
	XB_CONTEXT_SKIP,   /**< it does not exist for the build, nor does anything below it */
	XB_CONTEXT_DESCEND /**< a directory that counts only when something below it is taken */
};

/** The verdict where two have to agree: nothing is taken that one of them leaves out. */
enum xb_context_verdict xb_context_both(enum xb_context_verdict a, enum xb_context_verdict b);

/**
 * The verdict on a path of the context without links in it. `context` is a `const struct
 * xb_context *`, or NULL for no rules: usable as a callback. A path longer than rules can match is
 * skipped; xb_context_checksum() reports it.
 */
enum xb_context_verdict xb_context_filter(const void *context, const char *path, bool is_dir);

#endif
