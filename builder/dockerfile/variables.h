/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The variables of a scope, for a check: found in constant time, and what has been set since a mark
 * can be taken back. So stages that stand on one another share what their base has, and a walk over
 * all of them takes time linear in the file.
 */
#ifndef XB_BUILDER_DOCKERFILE_VARIABLES_H
#define XB_BUILDER_DOCKERFILE_VARIABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/str.h"

struct xb_variables;

/** An empty scope; release it with xb_variables_free(). */
struct xb_variables *xb_variables_new(void);
/** Release; NULL is left alone. */
void xb_variables_free(struct xb_variables *variables);

XB_DEFINE_CLEANUP(xb_variables_cleanup, struct xb_variables, xb_variables_free)
#define xb_auto_variables XB_CLEANUP(xb_variables_cleanup)

/** Set a variable (copied); `value` NULL: it is declared, and keeps the value that it may have. */
void xb_variables_set(struct xb_variables *variables, struct xb_view name, const char *value);
/** Set all "NAME=value" of a vector; NULL: none. */
void xb_variables_set_all(struct xb_variables *variables, const struct xb_strv *pairs);

/** The value of a variable, borrowed until it changes, or NULL. */
const char *xb_variables_get(const struct xb_variables *variables, struct xb_view name);
/** Whether a variable is declared, with a value or without. */
bool xb_variables_has(const struct xb_variables *variables, struct xb_view name);
/** A lookup function for struct xb_expand_env; `context` is a struct xb_variables. */
bool xb_variables_lookup(void *context, struct xb_view name, const char **ret_value);

/** Where the scope stands now. */
size_t xb_variables_mark(const struct xb_variables *variables);
/** Take back all that was set since `mark`. */
void xb_variables_undo(struct xb_variables *variables, size_t mark);

/**
 * The variable that `name` was probably meant to be: not more than two characters away; the first
 * that came into scope of those that are equally near. Only those with a value when `valued`. NULL
 * when there is none, or when the scope has been asked for more than a human file needs.
 */
const char *xb_variables_nearest(struct xb_variables *variables, struct xb_view name, bool valued);

#endif
