/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What a build of a Dockerfile can be given: arguments, secrets, agents, caches of the target and
 * of the stages that it needs. And which stages there are to choose from.
 *
 * Descriptions are comments in front of an instruction that begin with the name they describe.
 * Source: `docker buildx build --call=outline` and `--call=targets`.
 */
#ifndef XB_BUILDER_DOCKERFILE_OUTLINE_H
#define XB_BUILDER_DOCKERFILE_OUTLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "builder/dockerfile/ast.h"

/** One thing that can be given; strings are owned. */
struct xb_outline_item {
	char *name;
	char *value;	       /**< of an argument: what it comes to; else NULL */
	char *description;     /**< of an argument, or NULL */
	bool required;	       /**< of a secret or an agent: the build fails without it */
	struct xb_location at; /**< of the instruction */
};

struct xb_outline_items XB_ARRAY(struct xb_outline_item);

/** What a target can be given, each in the order of lines. Zeroed: nothing. */
struct xb_outline {
	char *name;	   /**< of the target; NULL when it has none */
	char *description; /**< or NULL */
	struct xb_outline_items args;
	struct xb_outline_items secrets;
	struct xb_outline_items agents;
	struct xb_outline_items caches;
};

/** Release what an outline holds; it is then zeroed. */
void xb_outline_clear(struct xb_outline *outline);
#define xb_auto_outline XB_CLEANUP(xb_outline_clear)

/**
 * What the comments above an instruction say of `name`, without it: malloc()ed, or NULL. The first
 * that begins with the name counts.
 */
char *xb_outline_describe(const struct xb_instruction *instruction, const char *name);

#endif
