/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Variables: names with values in the order in which the names came, each once.
 *
 * A lookup and a change take the same time however many there are: a Dockerfile may have a million.
 * Values are borrowed until the variable is set anew. Starts as `{ 0 }`.
 */
#ifndef XB_BUILDER_PLAN_VARS_H
#define XB_BUILDER_PLAN_VARS_H

#include <stdbool.h>

#include "base/array.h"
#include "base/map.h"

/** The variables; owned. */
struct xb_vars {
	struct xb_strv items; /**< "NAME=value"; to be changed by xb_vars_set() alone */
	struct xb_map *index; /**< name to place in `items`, from 1; NULL while they are few */
	size_t *work;	      /**< what words that see them may cost still (see xb_expand_env), or
				 NULL; borrowed, not copied by xb_vars_set_all() */
};

/** Release what it owns; it is then empty. */
void xb_vars_clear(struct xb_vars *vars);
#define xb_auto_vars XB_CLEANUP(xb_vars_clear)

/** The value of `name`, borrowed, or NULL. A name that holds a "=" is nobody's. */
const char *xb_vars_get(const struct xb_vars *vars, struct xb_view name);
/** Set `name` (without a "=") to `value`, in its old place when it is there, else at the end. */
void xb_vars_set(struct xb_vars *vars, struct xb_view name, struct xb_view value);
/** Remove `name` if it is there; takes time with the number of variables. */
void xb_vars_unset(struct xb_vars *vars, struct xb_view name);
/** Set all of an environment of "NAME=value"; a text without "=" is a name with an empty value. */
void xb_vars_set_all(struct xb_vars *vars, const struct xb_strv *env);

/**
 * Add `item` to a set kept as a vector unless it is there. `*index`, NULL at first, remembers what
 * the set holds; whoever owns the set frees it, and does not change the set by other means.
 */
void xb_set_add(struct xb_strv *set, struct xb_map **index, const char *item);

#endif
