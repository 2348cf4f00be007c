/* SPDX-License-Identifier: Apache-2.0 */
/** What both sides of the confined child share beside its messages, and tarfile.h's way in. */
#ifndef XB_BUILDER_LAYER_UNPACK_CHILD_H
#define XB_BUILDER_LAYER_UNPACK_CHILD_H

#include "base/error.h"
#include "builder/layer/wire.h"

/** argv[0] of the child. */
#define XB_UNPACK_NAME "xbuild-unpack"

/** Carry out a request with the given descriptors; fills `answer` (empty on entry) but its error.
 *  The walls are up already, or (in tests) are not wanted. Returns the answer's code. */
int xb_unpack_serve(const struct xb_wire_request *request, int blob_fd, int dest_fd,
		    struct xb_wire_answer *answer, struct xb_error *err);

/** xb_tarfile_extract() without its documentation's link of the error chain. */
int xb_unpack_tarfile(int fd, int dest_fd, struct xb_error *err);

#endif
