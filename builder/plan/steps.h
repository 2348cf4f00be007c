/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The growing list of a plan's steps. Adding a step that is there already gives the old one:
 * equality is that of a canonical encoding of everything that can change the result.
 */
#ifndef XB_BUILDER_PLAN_STEPS_H
#define XB_BUILDER_PLAN_STEPS_H

#include "base/array.h"
#include "base/map.h"
#include "builder/plan/plan.h"

/** The list; made with xb_steps_init(). */
struct xb_steps {
	struct xb_step *items;
	size_t len;
	size_t cap;
	struct xb_map *by_identity; /**< identity -> index + 1, as a pointer-sized number */
	const char *const *env; /**< the environment that was hashed last: many steps share one */
	struct xb_digest env_digest;
};

/** An empty list. */
void xb_steps_init(struct xb_steps *steps);
/** Release the list, not what its steps point to. */
void xb_steps_clear(struct xb_steps *steps);

/**
 * Add a step, whose strings must live as long as the list, and whose parents are in it; its
 * identity is computed here. Returns its index or that of an equal step.
 */
size_t xb_steps_add(struct xb_steps *steps, const struct xb_step *step);

#endif
