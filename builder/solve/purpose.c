/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/purpose.h"

static bool wants_plain(const struct xb_forms *forms)
{
	for (size_t i = 0; forms != NULL && i < forms->len; i++) {
		if (xb_form_is_plain(&forms->items[i]))
			return true;
	}
	return false;
}

/* Another form is made from a tree, as is one that is forced. */
static bool only_plain(const struct xb_forms *forms)
{
	for (size_t i = 0; forms != NULL && i < forms->len; i++) {
		if (!xb_form_is_plain(&forms->items[i]) || forms->items[i].force)
			return false;
	}
	return true;
}

/* What the layers of images are wanted for. */
static unsigned char image_uses(const struct xb_purpose_request *wanted)
{
	bool plain = wants_plain(wanted->forms) || wanted->pack_images;

	return (unsigned char)((plain ? XB_RESULT_LAYER : 0) |
			       (only_plain(wanted->forms) ? 0 : XB_RESULT_FORM));
}

static void set_layers(const struct xb_plan *plan, const struct xb_purpose_request *wanted,
		       struct xb_purpose *ret)
{
	for (size_t t = 0; t < plan->target_count; t++) {
		size_t at = plan->targets[t].step;

		for (; at != XB_STEP_NONE && !ret->in_image[at]; at = plan->steps[at].parent) {
			ret->in_image[at] = true;
			ret->uses[at] |= image_uses(wanted);
		}
	}
	for (size_t i = 0; wanted->pack_all && i < plan->step_count; i++)
		ret->uses[i] |= XB_RESULT_LAYER;
}

static void set_trees(const struct xb_plan *plan, struct xb_purpose *ret)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct xb_step *step = &plan->steps[i];

		for (size_t k = 0; k < xb_step_input_count(step); k++) {
			if (xb_step_input(step, k) != XB_STEP_NONE)
				ret->uses[xb_step_input(step, k)] |= XB_RESULT_TREE;
		}
	}
}

/* Which bases have to be on disk: what stands on a step comes after it. */
static void set_files(const struct xb_plan *plan, bool files, struct xb_purpose *ret)
{
	for (size_t t = 0; files && t < plan->target_count; t++) {
		if (plan->targets[t].step != XB_STEP_NONE)
			ret->uses[plan->targets[t].step] |= XB_RESULT_FILES;
	}
	for (size_t i = plan->step_count; i-- > 0;) {
		const struct xb_step *step = &plan->steps[i];
		bool down = step->kind == XB_STEP_RUN || (ret->uses[i] & XB_RESULT_FILES) != 0;

		for (size_t k = 0; k < xb_step_input_count(step); k++) {
			size_t at = xb_step_input(step, k);

			if (at != XB_STEP_NONE && (down || at != step->parent))
				ret->uses[at] |= XB_RESULT_FILES;
		}
	}
}

void xb_purpose_find(const struct xb_plan *plan, const struct xb_purpose_request *wanted,
		     struct xb_purpose *ret)
{
	ret->layers_only = !wanted->files && only_plain(wanted->forms);
	set_layers(plan, wanted, ret);
	set_trees(plan, ret);
	set_files(plan, wanted->files, ret);
}
