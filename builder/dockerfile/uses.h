/* SPDX-License-Identifier: Apache-2.0 */
/** What a walk over the stages meets of things that can be given: what an outline is made of. */
#ifndef XB_BUILDER_DOCKERFILE_USES_H
#define XB_BUILDER_DOCKERFILE_USES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "builder/dockerfile/ast.h"
#include "builder/dockerfile/mount.h"
#include "builder/dockerfile/outline.h"

/** No stage: the global scope. */
#define XB_NO_STAGE SIZE_MAX

struct xb_uses;

/** What an outline of a file with so many stages is made of, beginning with nothing; release with
 * xb_uses_free(). */
struct xb_uses *xb_uses_new(size_t stage_count);
/** Release; NULL is left alone. */
void xb_uses_free(struct xb_uses *uses);
/** An ARG of the global scope (`stage` XB_NO_STAGE) or of a stage. `names`: what its value is made
 *  of. `inherited`: it only takes the global one over. */
void xb_uses_arg(struct xb_uses *uses, size_t stage, const struct xb_instruction *instruction,
		 const char *name, const char *value, const struct xb_strv *names, bool inherited);
/** Names that the FROM of a stage uses. */
void xb_uses_from(struct xb_uses *uses, size_t stage, const struct xb_strv *names);
/** A mount of a stage that has to be given something. */
void xb_uses_mount(struct xb_uses *uses, size_t stage, const struct xb_instruction *instruction,
		   const struct xb_mount *mount);
/**
 * Make the outline of the stage `target`, whose number is `index`, and of those before it that it
 * needs: `needed` has a flag for each up to `index`.
 */
void xb_uses_outline(const struct xb_uses *uses, const struct xb_stage *target, size_t index,
		     const bool *needed, struct xb_outline *ret);

#endif
