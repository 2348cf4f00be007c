/* SPDX-License-Identifier: Apache-2.0 */
/** What an error means when it was met while something was written to the store's disk. */
#ifndef XB_BUILDER_CACHE_EXPLAIN_H
#define XB_BUILDER_CACHE_EXPLAIN_H

#include "base/error.h"

/**
 * A full disk (-ENOSPC, -EDQUOT) is the store's fault, with the hint what makes room; other errors
 * are left as they are. Returns `r`.
 */
int xb_store_explain(struct xb_error *err, int r);

#endif
