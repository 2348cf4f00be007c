/* SPDX-License-Identifier: Apache-2.0 */
/** What each step's result is for, known before anything runs. */
#ifndef XB_BUILDER_SOLVE_PURPOSE_H
#define XB_BUILDER_SOLVE_PURPOSE_H

#include <stdbool.h>

#include "builder/plan/plan.h"
#include "builder/solve/form.h"

/** The purposes of a plan's steps; what is written to is the caller's, by step, and zeroed. */
struct xb_purpose {
	bool *in_image;	     /**< the step's layer is one of a target's */
	unsigned char *uses; /**< a set of enum xb_result_use */
	bool layers_only;    /**< outputs want layers in their plain form, and no trees */
};

/** What is wanted of a plan. */
struct xb_purpose_request {
	const struct xb_forms *forms; /**< of targets' layers, or NULL */
	bool files;		      /**< outputs take the files of the targets */
	bool pack_images; /**< targets' layers are wanted in the plain form in any case */
	bool pack_all;	  /**< so are the layers of all steps */
};

/** Find out. */
void xb_purpose_find(const struct xb_plan *plan, const struct xb_purpose_request *wanted,
		     struct xb_purpose *ret);

#endif
