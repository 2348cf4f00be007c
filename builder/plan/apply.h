/* SPDX-License-Identifier: Apache-2.0 */
/**
 * An instruction on its way into a stage, and what the files that apply instructions share:
 * instruction.c (config), run.c (RUN), copy.c (COPY and ADD). For these only.
 */
#ifndef XB_BUILDER_PLAN_APPLY_H
#define XB_BUILDER_PLAN_APPLY_H

#include "builder/plan/stage.h"

/** The instruction and all that it acts on; borrowed. */
struct xb_plan_apply {
	struct xb_planner *planner;
	struct xb_stage_state *state;
	const struct xb_dockerfile *file; /**< where the instruction stands */
	const struct xb_instruction *instruction;
	const struct xb_copy_source *source;
};

/** Expand a word as the stage has it before this instruction. Errors point at the word. */
int xb_plan_apply_expand(const struct xb_plan_apply *a, const struct xb_word *word,
			 struct xb_str *ret, struct xb_error *err);
/** Expand a flag's value. Returns 1, 0 when the flag is not given, or a negative errno. */
int xb_plan_apply_expand_flag(const struct xb_plan_apply *a, const char *name, struct xb_str *ret,
			      struct xb_error *err);
/** Append the shell of the stage: of SHELL, else the platform's default. */
void xb_plan_apply_shell(const struct xb_plan_apply *a, struct xb_strv *ret);

/** RUN: a step. */
int xb_plan_apply_run(const struct xb_plan_apply *a, struct xb_error *err);
/** COPY and ADD: a step. */
int xb_plan_apply_copy(const struct xb_plan_apply *a, struct xb_error *err);

/** As xb_stage_count(), for this instruction. */
int xb_plan_apply_count(const struct xb_plan_apply *a, size_t bytes, struct xb_error *err);

/**
 * Check that a here-document's name can be that of the file made from it: one component of a path.
 * Error: -EINVAL, at the document.
 */
int xb_plan_apply_check_name(const struct xb_plan_apply *a, const struct xb_heredoc *heredoc,
			     struct xb_error *err);

#endif
