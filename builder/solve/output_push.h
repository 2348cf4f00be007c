/* SPDX-License-Identifier: Apache-2.0 */
/** Outputs that go to registries: type=registry, type=image,push=true. */
#ifndef XB_BUILDER_SOLVE_OUTPUT_PUSH_H
#define XB_BUILDER_SOLVE_OUTPUT_PUSH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"
#include "builder/solve/opener.h"
#include "builder/solve/output_spec.h"
#include "manifest/place.h"

/** How to push; all is borrowed. */
struct xb_output_push {
	const struct xb_registry_opener *opener;
	bool allow_drop;		/**< a tag may lose platforms */
	bool dry_run;			/**< only look what tags would mean */
	struct xb_str *notes;		/**< gets a line for each tag */
	struct xb_transfer_watch watch; /**< is told of each blob */
};

/** Whether an output is pushed. */
bool xb_output_is_pushed(const struct xb_output *output);
/**
 * Check that the image has names that can be pushed: -EINVAL, fault usage. `names` are those of
 * the build.
 */
int xb_output_push_check(const struct xb_output *output, const struct xb_strv *names,
			 struct xb_error *err);
/**
 * Publish `root` of `from` under the names of `output` and those of the build, `names`. Errors: as
 * xb_output_push().
 */
int xb_output_push_from(const struct xb_output *output, const struct xb_strv *names,
			struct xb_place *from, const struct xb_descriptor *root,
			const atomic_bool *cancelled, const struct xb_output_push *how,
			struct xb_error *err);
/**
 * Publish an image under its names (manifest/publish.h): to each repository once, tags last.
 * Errors: fault registry; fault proof when a tag would lose a platform.
 */
int xb_output_push(const struct xb_output *output, const struct xb_output_source *source,
		   const struct xb_output_push *how, struct xb_error *err);

#endif
