/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A leg: a build of some of the platforms of an image, which leaves a result (manifest/leg.h) that
 * `xbuild merge` joins with those of other legs. It moves no tag: what it pushes it pushes by
 * digest, and in layouts and archives that it writes nothing has a name.
 */
#ifndef XB_BUILDER_CLI_LEG_H
#define XB_BUILDER_CLI_LEG_H

#include <stdbool.h>

#include "builder/cli/platforms.h"
#include "builder/solve/output_spec.h"

/** What the command line says of it; borrowed. */
struct xb_leg_options {
	const struct xb_strv *legs;	/**< --leg */
	const char *result;		/**< --result, or NULL */
	const char *revision;		/**< --revision, or NULL */
	const char *context;		/**< the build context as given, or NULL */
	const struct xb_platform *host; /**< what "local" means */
};

/** What it comes to; starts as `{ 0 }`. */
struct xb_leg_request {
	bool on;		       /**< it is a leg */
	struct xb_platforms platforms; /**< of the whole */
	struct xb_flags optional;      /**< for each of these */
	char *revision;
};

/** Release. */
void xb_leg_request_clear(struct xb_leg_request *leg);

/**
 * Read the options. Of a leg, `platforms` and `optional` (those of --platform) become those of the
 * whole in `ret`, and are replaced by those that the leg builds, in the same order. Errors: fault
 * usage.
 */
int xb_leg_read(const struct xb_leg_options *options, struct xb_platforms *platforms,
		struct xb_flags *optional, struct xb_leg_request *ret, struct xb_error *err);

/** Make names the repositories that they are in, each once; what is no name stays as it is. */
void xb_leg_names(struct xb_strv *names);
/**
 * Make outputs those of a leg: what is pushed goes by digest, into repositories; layouts and
 * archives get no names. Errors, fault usage: an output that names something, one that is not below
 * the directory of `result`, no output at all that has the images.
 */
int xb_leg_outputs(struct xb_outputs *outputs, const char *result, struct xb_error *err);
/** Whether the images of a leg are in this output. */
bool xb_leg_is_place(const struct xb_output *output);
/** A path from the directory that `result` is in, borrowed; NULL: it does not lead below. */
const char *xb_leg_beside(const char *result, const char *path);

#endif
