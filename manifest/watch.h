/* SPDX-License-Identifier: Apache-2.0 */
/** Who is told of blobs and documents on their way from place to place. */
#ifndef XB_MANIFEST_WATCH_H
#define XB_MANIFEST_WATCH_H

#include <stdint.h>

#include "manifest/descriptor.h"

/** How a blob came to be where it was wanted. */
enum xb_transfer_way {
	XB_TRANSFER_THERE,   /**< it was there */
	XB_TRANSFER_MOUNTED, /**< the place took it from a neighbour: no bytes came through here */
	XB_TRANSFER_MOVED,   /**< its bytes came through here */
};

/** A watcher; zeroed, nobody wants to know. Its functions are called by several threads at once. */
struct xb_transfer_watch {
	void *context; /**< given to the calls */
	/** `bytes` of `what` have been taken so far; less than before when it begins again. */
	void (*moving)(void *context, const struct xb_descriptor *what, uint64_t bytes);
	/** It is there. */
	void (*done)(void *context, const struct xb_descriptor *what, enum xb_transfer_way way);
};

#endif
