/* SPDX-License-Identifier: Apache-2.0 */
/** The second step of parsing: what each instruction allows, and the stages. For the parser. */
#ifndef XB_BUILDER_DOCKERFILE_CHECK_H
#define XB_BUILDER_DOCKERFILE_CHECK_H

#include "base/error.h"
#include "builder/dockerfile/ast.h"

/** Check one instruction; `in_stage` tells whether a FROM stands before it. */
int xb_dockerfile_check_instruction(const struct xb_dockerfile *dockerfile,
				    const struct xb_instruction *instruction, bool in_stage,
				    struct xb_error *err);

/** Set `args` and `stages` of a tree whose instructions are set and checked. */
int xb_dockerfile_set_stages(struct xb_dockerfile *dockerfile, struct xb_error *err);

#endif
