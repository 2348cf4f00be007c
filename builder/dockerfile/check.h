/* SPDX-License-Identifier: Apache-2.0 */
/** The second step of parsing: what each instruction allows, and the stages. For the parser. */
#ifndef XB_BUILDER_DOCKERFILE_CHECK_H
#define XB_BUILDER_DOCKERFILE_CHECK_H

#include "base/error.h"
#include "builder/dockerfile/ast.h"

/** Check the instructions of a tree and set its `args` and `stages`. */
int xb_dockerfile_check(struct xb_dockerfile *dockerfile, struct xb_error *err);

#endif
