/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The work of one step on its fresh snapshot: run.c for RUN, copy.c for COPY, ADD and WORKDIR.
 */
#ifndef XB_BUILDER_SOLVE_WORK_H
#define XB_BUILDER_SOLVE_WORK_H

#include "base/digest.h"
#include "builder/cache/record.h"
#include "builder/solve/ground.h"
#include "builder/solve/result.h"
#include "builder/solve/shared.h"
#include "builder/solve/site.h"

struct xb_step_key;

/** A step's bench: what it works on. All borrowed. */
struct xb_work {
	struct xb_step_shared *shared;
	size_t index;
	const struct xb_step *step;
	const struct xb_strv *lowers;	/**< the parent's tree, top first */
	struct xb_site *site;		/**< where it is done */
	const struct xb_ground *ground; /**< of a step that needs no more of the parent's tree than
					   this: `lowers` are none; NULL: it needs it */
	const struct xb_result *const
		*inputs;	       /**< as xb_step_input() has them; NULL: the empty tree */
	const struct xb_step_key *key; /**< by which nothing was found */
	bool *changed;		       /**< see xb_work_read_all() */
};

/**
 * Of a step that has read all that it reads of directories that others may write to: set `changed`
 * when it may not be what the key was made from. The functions below call it once they have.
 */
void xb_work_read_all(const struct xb_work *work);

/** Run the command of a RUN step in a sandbox. */
int xb_work_run(const struct xb_work *work, struct xb_error *err);
/** Copy, for COPY and ADD. */
int xb_work_copy(const struct xb_work *work, struct xb_error *err);
/**
 * Pack the layer of a copy that needs nothing of the parent's tree but its ground straight from
 * what it copies, and write to `record` what it is. Returns 1 when that is done, 0 when the copy
 * has to be made, on a fresh snapshot: it is of more than one directory, or as
 * xb_layer_pack_graft() says.
 */
int xb_work_copy_packed(const struct xb_work *work, int upper, struct xb_record *record,
			struct xb_error *err);
/** Make the directory of WORKDIR. */
int xb_work_workdir(const struct xb_work *work, struct xb_error *err);

/**
 * Whether a COPY onto the tree `root` meets nothing there but the directories of `ret`, so that its
 * layer is the same wherever these are. When in doubt it is false. `inputs` are the step's from the
 * origin on.
 */
bool xb_copy_stands_apart(struct xb_step_shared *shared, const struct xb_step *step,
			  const struct xb_result *const *inputs, const struct xb_sight *root,
			  struct xb_ground *ret);
/** Likewise for a WORKDIR. */
bool xb_workdir_stands_apart(const struct xb_step *step, const struct xb_sight *root,
			     struct xb_ground *ret);

/**
 * Add to a key what COPY and ADD take: names and contents, owners where they are kept. `inputs` are
 * the step's from the origin on. What others may change meanwhile is mixed into `state`, as
 * xb_context_checksum() does.
 */
int xb_copy_key(struct xb_step_shared *shared, const struct xb_step *step,
		const struct xb_result *const *inputs, struct xb_hasher *h, uint64_t *state,
		struct xb_error *err);

#endif
