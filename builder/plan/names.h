/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The names of a Dockerfile's stages, and which stages want which.
 *
 * Names are compared without regard to case. Of several stages with a name the nearest one before
 * an instruction is meant; a stage behind it cannot be copied from, as in BuildKit.
 */
#ifndef XB_BUILDER_PLAN_NAMES_H
#define XB_BUILDER_PLAN_NAMES_H

#include <stddef.h>

#include "base/error.h"
#include "base/map.h"
#include "builder/dockerfile/ast.h"

/** No stage of that name. */
#define XB_STAGE_NONE ((size_t)-1)

/** The names; made with xb_stage_names_new(). */
struct xb_stage_names {
	const struct xb_dockerfile *file; /**< borrowed */
	struct xb_map *last;		  /**< lower-case name to the last stage with it, from 1 */
	size_t *before;			  /**< by stage: the one before with its name, from 1; 0 */
};

/** Collect the names of `file`. */
void xb_stage_names_init(struct xb_stage_names *names, const struct xb_dockerfile *file);
/** Release what they own. */
void xb_stage_names_clear(struct xb_stage_names *names);
#define xb_auto_stage_names XB_CLEANUP(xb_stage_names_clear)

/** Index of the last stage called `name` among the first `before` stages, or XB_STAGE_NONE. */
size_t xb_stage_names_find(const struct xb_stage_names *names, const char *name, size_t before);

/** The stage that the value of a `from` means, at stage `stage`: by name the nearest one before, or
 * one behind; by number any. XB_STAGE_NONE: it is something else. */
size_t xb_stage_names_origin(const struct xb_stage_names *names, const char *from, size_t stage);

/**
 * Refuse stages that need each other in a circle (-EINVAL, at the instruction that closes it, with
 * the chain of names). Only FROM, COPY --from and RUN --mount=from= without variables are looked
 * at, which is all that can name a stage. Time grows with the number of instructions.
 */
int xb_stage_names_check_circles(const struct xb_stage_names *names, struct xb_error *err);

#endif
