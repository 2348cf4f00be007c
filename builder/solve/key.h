/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The keys of steps: what a result is found by.
 *
 * Directories that others may write to (the build context, directories of --build-context) are read
 * for the key and once more for the work. A key therefore tells also in which state they were, and
 * whoever has worked compares that with their state then: nothing is recorded as the result of
 * files that were others when they were read.
 */
#ifndef XB_BUILDER_SOLVE_KEY_H
#define XB_BUILDER_SOLVE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "builder/cache/record.h"
#include "builder/plan/plan.h"
#include "builder/solve/ground.h"
#include "builder/solve/result.h"
#include "builder/solve/shared.h"

/** A key; a plain value. */
struct xb_step_key {
	char text[XB_RECORD_KEY_SIZE]; /**< of the record */
	uint64_t state; /**< of what others may change and it is made from, as xb_context_checksum()
			   has it; 0: there is nothing of that */
};

/** Whether a step needs nothing of the tree below it: COPY and ADD with --link. */
bool xb_step_is_linked(const struct xb_step *step);

/**
 * Make the key of `step` from everything that can change its result, and nothing else
 * (docs/decisions/0011-step-keys.md). `inputs` are as xb_step_carry_out() has them. With `ground`
 * (NULL: none) this is all that the step depends on of the tree below it. Errors: those of reading
 * what it copies or mounts.
 */
int xb_step_key_make(struct xb_step_shared *shared, const struct xb_step *step,
		     const struct xb_result *const *inputs, const struct xb_ground *ground,
		     struct xb_step_key *ret, struct xb_error *err);

/**
 * Whether `key` is that of what has been read since it was made: no file has changed, not even for
 * a moment. `key` has the text of a key made with `ground`, and the earliest state that counts.
 */
bool xb_step_key_holds(struct xb_step_shared *shared, const struct xb_step *step,
		       const struct xb_result *const *inputs, const struct xb_ground *ground,
		       const struct xb_step_key *key);

/** Make `text` a key that no step has nor will have: what has it is found by nobody. */
void xb_step_key_disown(char text[XB_RECORD_KEY_SIZE]);

#endif
