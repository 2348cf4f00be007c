/* SPDX-License-Identifier: Apache-2.0 */
/** Why two builds of the same are not the same; for builder/cli/cmd_reproduce. */
#ifndef XB_BUILDER_CLI_REPRODUCE_H
#define XB_BUILDER_CLI_REPRODUCE_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/image/difference.h"
#include "builder/image/load.h"
#include "manifest/image.h"

/** The first place in which two images of one platform differ. Starts as `{ 0 }`. */
struct xb_divergence {
	bool differs;
	struct xb_platform platform;
	size_t layer;	   /**< number of the layer, from 0; SIZE_MAX: the config alone */
	char *instruction; /**< of the history, or NULL; owned */
	struct xb_differences in_layer; /**< what the layers have that differs */
	char *field; /**< of the config: its first line that differs, or NULL; owned */
};

/** Release. */
void xb_divergence_clear(struct xb_divergence *divergence);

#define xb_auto_divergence XB_CLEANUP(xb_divergence_clear)

/** Compare the images that two descriptors of two places name. Errors: those of reading. */
int xb_divergence_find(const struct xb_image_source *first, const struct xb_descriptor *one,
		       const struct xb_image_source *second, const struct xb_descriptor *other,
		       struct xb_divergence *ret, struct xb_error *err);

/** What is known to make such a path differ from build to build, as half a sentence; else NULL. */
const char *xb_divergence_cause(const char *path);

#endif
