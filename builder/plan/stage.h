/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A stage as it grows, instruction by instruction, for one platform: the tip of its tree, its
 * image config, its variables and what it adds to the history.
 */
#ifndef XB_BUILDER_PLAN_STAGE_H
#define XB_BUILDER_PLAN_STAGE_H

#include "builder/plan/plan.h"
#include "builder/plan/scope.h"
#include "builder/plan/steps.h"

/** What all stages of a plan share while it is made. */
struct xb_planner {
	const struct xb_plan_request *request;
	struct xb_plan *plan; /**< its arena, its warnings */
	struct xb_steps steps;
	struct xb_vars build_args; /**< of the request, with SOURCE_DATE_EPOCH as a number */
	struct xb_map *consumed;   /**< names of --build-arg that an ARG asked for */
	size_t applied;		   /**< instructions, this far; bounded */
	size_t bytes;		   /**< of what is kept many times, this far; bounded */
	size_t work;		   /**< what expansions may cost still */
};

/** Where a COPY or a mount takes its files from: what `from` came to, or the context. */
struct xb_copy_source {
	enum xb_copy_origin origin;
	size_t step;	  /**< for XB_COPY_STEP; may be XB_STEP_NONE (an empty tree) */
	const char *name; /**< for XB_COPY_NAMED, in the plan's arena */
};

struct xb_plan_histories XB_ARRAY(struct xb_plan_history);

/** One stage for one target platform. */
struct xb_stage_state {
	const struct xb_stage *ast;
	const char *label;	       /**< its name, else its number */
	struct xb_platform target;     /**< the platform asked for */
	struct xb_platform platform;   /**< the platform its commands run on */
	size_t tip;		       /**< step, or XB_STEP_NONE */
	struct xb_image_config config; /**< owned; its `env` is empty until the stage is done */
	struct xb_vars env;	       /**< what becomes the config's */
	struct xb_vars vars;	       /**< what words see and a RUN gets: `env` and arguments */
	struct xb_vars declared;       /**< the names of arguments, in order; the values are "" */
	const struct xb_vars *globals; /**< the global scope for this platform; borrowed */
	const char *const *run_env;    /**< `vars` as a RUN has them, or NULL when they changed */
	struct xb_map *ports;	       /**< see xb_set_add() */
	struct xb_map *volumes;	       /**< likewise */
	struct xb_map *labels;	       /**< name to place in the config's labels, from 1 */
	bool fresh;		       /**< of --no-cache-filter */
	bool own_platform;	       /**< the base's, which is not what was wanted: allowed */
	bool own_cmd;		       /**< CMD was set in this stage */
	struct xb_plan_histories history;
	size_t layers;	     /**< instructions that make a layer, this far */
	size_t layers_total; /**< all of the stage, FROM counted */
};

/** Release what a state owns. */
void xb_stage_state_clear(struct xb_stage_state *state);

/** Set a variable that words and RUN see. */
void xb_stage_set_var(struct xb_stage_state *state, struct xb_view name, struct xb_view value);
/** Set a variable that the image's config has, too. */
void xb_stage_set_env(struct xb_stage_state *state, struct xb_view name, struct xb_view value);
/** Take over the environment of the config, that of the base. */
void xb_stage_take_env(struct xb_stage_state *state);
/** Set a label of the config, in time that does not depend on how many there are. */
void xb_stage_set_label(struct xb_stage_state *state, const char *name, const char *value);

/**
 * Count bytes that the plan has to hold because of an instruction. Error: -EINVAL, at the
 * instruction, when all together are too many.
 */
int xb_stage_count(struct xb_planner *planner, const struct xb_dockerfile *file,
		   const struct xb_instruction *instruction, size_t bytes, struct xb_error *err);

/** Add a history entry; `created_by` is taken over (freed). `step` XB_STEP_NONE: no layer. */
void xb_stage_record(struct xb_planner *planner, struct xb_stage_state *state, char *created_by,
		     size_t step);

/** Whether `text` is UTF-8, as everything in an image's config has to be. */
bool xb_stage_is_text(const char *text);

/** The first line of `text` for a title: not too long, nothing in it but text, in the arena. */
const char *xb_stage_line(struct xb_plan *plan, const char *text);

/** A step of this stage for `instruction` of `file`, with the common members filled in. */
struct xb_step xb_stage_step(struct xb_planner *planner, struct xb_stage_state *state,
			     enum xb_step_kind kind, const struct xb_dockerfile *file,
			     const struct xb_instruction *instruction);

/** A vector's strings as an arena array that ends with NULL. */
const char *const *xb_plan_list(struct xb_plan *plan, const struct xb_strv *v);

#endif
