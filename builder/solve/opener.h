/* SPDX-License-Identifier: Apache-2.0 */
/** How a build gets at registries: by a client that is made when the first one is needed. */
#ifndef XB_BUILDER_SOLVE_OPENER_H
#define XB_BUILDER_SOLVE_OPENER_H

#include "base/error.h"

struct xb_registry;

/** A client to come. Zeroed: there is none, and nothing is looked for in registries. */
struct xb_registry_opener {
	/** Get the client, borrowed; the same each time. Called by one thread at a time. */
	int (*open)(void *context, struct xb_registry **ret, struct xb_error *err);
	void *context; /**< given to `open` */
};

#endif
