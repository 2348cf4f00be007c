/* SPDX-License-Identifier: Apache-2.0 */
/** What comes from elsewhere: which sources do, and the steps that fetch them. */
#ifndef XB_BUILDER_PLAN_FETCH_H
#define XB_BUILDER_PLAN_FETCH_H

#include "builder/plan/stage.h"

/** What a file of a context or a named context is called in its tree. */
#define XB_FETCH_CONTEXT "context"

/** What kind of source a word of ADD or COPY is. */
enum xb_fetch_kind {
	XB_FETCH_NONE, /**< a path */
	XB_FETCH_FILE, /**< a URL of http or https */
	XB_FETCH_GIT   /**< a git repository */
};

/**
 * Tell what `source` is. The form github.com/… of git is a path to ADD, and so `XB_FETCH_NONE`.
 * Returns 0, or -EINVAL, fault source, without a place, for a git source that cannot be.
 */
int xb_fetch_kind_of(const char *source, enum xb_fetch_kind *ret, struct xb_error *err);

/** Whether a context is elsewhere: 1 a URL or a git repository, github.com/… too; 0; -EINVAL. */
int xb_source_elsewhere(const char *source, struct xb_error *err);

/** The last component of a URL's path, decoded, malloc()ed; "__unnamed__" where there is none. */
char *xb_fetch_file_name(const char *url);

/**
 * Check that `checksum` can be that of a source of `kind`: "sha256:HEX" (also sha384, sha512), or a
 * commit's id or its beginning. Error: -EINVAL, fault source, without a place.
 */
int xb_fetch_check_checksum(enum xb_fetch_kind kind, const char *checksum, struct xb_error *err);

/** A description, with copies of the texts in the plan's arena; `name` and `checksum` as there. */
struct xb_step_fetch xb_fetch_describe(struct xb_plan *plan, const char *url, bool git,
				       const char *name, const char *checksum);

/** Add a step that fetches for `instruction` of a stage, or find an equal one; returns its index.
 */
size_t xb_fetch_add_step(struct xb_planner *planner, const struct xb_stage_state *state,
			 const struct xb_dockerfile *file, const struct xb_instruction *instruction,
			 const struct xb_step_fetch *fetch);

/** Describe the URL of --build-context `name`. Errors: as xb_fetch_kind_of(). */
int xb_fetch_describe_named(struct xb_planner *planner, const char *name, struct xb_step_fetch *ret,
			    struct xb_error *err);

/** Whether --build-context gave files for `name`, and no image. */
bool xb_named_is_files(const struct xb_planner *planner, const char *name);

/**
 * Where the files that --build-context gave for `name` are found: in a directory, or in the tree of
 * a step that fetches them, which is added. Errors: as xb_fetch_kind_of().
 */
int xb_named_files(struct xb_planner *planner, const struct xb_stage_state *state,
		   const struct xb_dockerfile *file, const struct xb_instruction *instruction,
		   const char *name, struct xb_copy_source *ret, struct xb_error *err);

#endif
