/* SPDX-License-Identifier: Apache-2.0 */
/** The options that say where the result goes: -o, --push, --load. */
#ifndef XB_BUILDER_CLI_OUTPUTS_H
#define XB_BUILDER_CLI_OUTPUTS_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/solve/output.h"

/** As given, borrowed. */
struct xb_outputs_options {
	const struct xb_strv *outputs; /**< -o */
	const struct xb_strv *names;   /**< -t */
	bool push;
	bool load;
	const char *leg; /**< the result file of a leg; NULL: it is none */
};

/**
 * Read them: at least one output comes of it, and those that are pushed have names that can be.
 * Errors: fault usage.
 */
int xb_outputs_read(const struct xb_outputs_options *options, struct xb_outputs *ret,
		    struct xb_error *err);

/**
 * Check that outputs take what legs have made as it is: images alone, with no word of how layers
 * are packed or what is annotated. Errors: fault usage.
 */
int xb_outputs_check_merged(const struct xb_outputs *outputs, struct xb_error *err);

#endif
