/* SPDX-License-Identifier: Apache-2.0 */
/** What of the language xbuild does not do yet: nothing of it is ever ignored. */
#ifndef XB_BUILDER_DOCKERFILE_SUPPORTED_H
#define XB_BUILDER_DOCKERFILE_SUPPORTED_H

#include "base/error.h"
#include "builder/dockerfile/ast.h"

/**
 * Check that xbuild does already all that a Dockerfile asks for. Error: -ENOTSUP, with the place of
 * the first instruction, flag or word that it does not.
 */
int xb_dockerfile_check_supported(const struct xb_dockerfile *dockerfile, struct xb_error *err);

#endif
