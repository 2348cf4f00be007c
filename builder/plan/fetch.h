/* SPDX-License-Identifier: Apache-2.0 */
/** What comes from elsewhere: which sources do, and the steps that fetch them. */
#ifndef XB_BUILDER_PLAN_FETCH_H
#define XB_BUILDER_PLAN_FETCH_H

#include "builder/dockerfile/source.h"
#include "builder/plan/stage.h"

/** What a file of a context or a named context is called in its tree. */
#define XB_FETCH_CONTEXT "context"

/** The last component of a URL's path, decoded, malloc()ed; "__unnamed__" where there is none. */
char *xb_fetch_file_name(const char *url);

/**
 * Check that `checksum` can be that of a source of that form: "sha256:HEX" (also sha384, sha512),
 * or a commit's id or its beginning. Error: -EINVAL, fault source, without a place.
 */
int xb_fetch_check_checksum(enum xb_source_form form, const char *checksum, struct xb_error *err);

/** A description, with copies of the texts in the plan's arena; `name` and `checksum` as there. */
struct xb_step_fetch xb_fetch_describe(struct xb_plan *plan, const char *url, bool git,
				       const char *name, const char *checksum);

/** Add a step that fetches for `instruction` of a stage, or find an equal one; returns its index.
 */
size_t xb_fetch_add_step(struct xb_planner *planner, const struct xb_stage_state *state,
			 const struct xb_dockerfile *file, const struct xb_instruction *instruction,
			 const struct xb_step_fetch *fetch);

/**
 * The name by which the sources know what `name` is for a platform, malloc()ed: NAME::PLATFORM
 * where a --build-context is called so, else `name`. Source: BuildKit frontend/dockerui/config.go.
 */
char *xb_named_for(const struct xb_plan_sources *sources, const char *name,
		   const struct xb_platform *platform);

/** Describe the URL of --build-context `name`. Errors: as xb_source_form_of(). */
int xb_fetch_describe_named(struct xb_planner *planner, const char *name, struct xb_step_fetch *ret,
			    struct xb_error *err);

/** Whether --build-context gave files for `name`, and no image. */
bool xb_named_is_files(const struct xb_planner *planner, const char *name);

/**
 * Where the files that --build-context gave for `name` are found: in a directory, or in the tree of
 * a step that fetches them, which is added. Errors: as xb_source_form_of().
 */
int xb_named_files(struct xb_planner *planner, const struct xb_stage_state *state,
		   const struct xb_dockerfile *file, const struct xb_instruction *instruction,
		   const char *name, struct xb_copy_source *ret, struct xb_error *err);

#endif
