/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The confined child that looks at foreign bytes: how a process knows that it is one, and what it
 * does. builder/layer/unpack.h, which starts it, includes this.
 */
#ifndef XB_BUILDER_LAYER_UNPACK_CHILD_H
#define XB_BUILDER_LAYER_UNPACK_CHILD_H

#include <stdbool.h>

#include "base/error.h"
#include "builder/layer/wire.h"

/** argv[0] of the child. */
#define XB_UNPACK_NAME "xbuild-unpack"

/** Whether a process was started (argv[0], may be NULL) as the confined child. */
bool xb_unpack_wanted(const char *argv0);
/** Be the confined child: does not return but ends the process, with status 0 when it answered. */
int xb_unpack_main(void);

/**
 * Carry out a request with the given descriptors, in this process and without walls; for the child,
 * whose walls are up, and for tests of what the unpacker itself refuses. Fills `answer` (empty on
 * entry) but for its error. Returns the answer's code.
 */
int xb_unpack_serve(const struct xb_wire_request *request, int blob_fd, int dest_fd,
		    struct xb_wire_answer *answer, struct xb_error *err);

#endif
