/* SPDX-License-Identifier: Apache-2.0 */
/** Blobs of the store on their way out: whole, or not at all. For builder/solve/output only. */
#ifndef XB_BUILDER_SOLVE_OUTPUT_BLOB_H
#define XB_BUILDER_SOLVE_OUTPUT_BLOB_H

#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "builder/solve/output_spec.h"
#include "manifest/layout.h"

/**
 * Open a blob of the store (its layout is `store`), for reading from its start. It is hashed unless
 * this process has done so, or `source->blobs` knows that it was what its name says, and it has not
 * changed since. Returns 0 with
 * the caller's descriptor in `ret_fd`; -EBADMSG (fault store) when it is damaged.
 */
int xb_output_open_blob(const struct xb_output_source *source, const struct xb_layout *store,
			const struct xb_digest *digest, uint64_t size, int *ret_fd,
			struct xb_error *err);

#endif
