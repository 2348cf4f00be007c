/* SPDX-License-Identifier: Apache-2.0 */
/** The inside of a build context; for the modules of this directory only. */
#ifndef XB_BUILDER_CONTEXT_RULES_H
#define XB_BUILDER_CONTEXT_RULES_H

#include "builder/context/memory.h"
#include "builder/dockerfile/ignore.h"

/** See context.h. */
struct xb_context {
	int dirfd;
	struct xb_ignore *ignore;	  /**< NULL: no rules */
	struct xb_context_memory *memory; /**< NULL: none */
};

#endif
