/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/outputs.h"

#include "builder/cli/leg.h"
#include "builder/solve/output_push.h"

/* `--push` is for images alone: for those that -o makes, else for the result itself. */
static void push_images(struct xb_outputs *outputs)
{
	bool pushed = false;

	for (size_t i = 0; i < outputs->len; i++) {
		outputs->items[i].push |= outputs->items[i].type == XB_OUTPUT_IMAGE;
		pushed |= outputs->items[i].push;
	}
	if (!pushed)
		*xb_array_push(outputs) =
			(struct xb_output){ .type = XB_OUTPUT_REGISTRY, .push = true };
}

static int check_pushed(const struct xb_outputs *outputs, const struct xb_strv *names,
			struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < outputs->len; i++) {
		if (outputs->items[i].push)
			r = xb_output_push_check(&outputs->items[i], names, err);
	}
	return r;
}

int xb_outputs_read(const struct xb_outputs_options *options, struct xb_outputs *ret,
		    struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < options->outputs->len; i++)
		r = xb_output_parse(options->outputs->items[i], ret, err);
	if (r < 0)
		return r;
	if (options->push)
		push_images(ret);
	if ((ret->len == 0 && options->leg == NULL) || options->load)
		*xb_array_push(ret) = (struct xb_output){ .type = XB_OUTPUT_IMAGE };
	if (options->leg != NULL)
		r = xb_leg_outputs(ret, options->leg, err);
	return r < 0 ? r : check_pushed(ret, options->names, err);
}

static int check_merged(const struct xb_output *output, struct xb_error *err)
{
	const struct xb_form *form = &output->form;
	const char *type = xb_output_type_name(output->type);

	if (!xb_output_has_image(output))
		return xb_error_usage(err, "use type=oci, docker, registry or image",
				      "-o type=%s: a merge has images, and no files", type);
	if (form->compression == XB_COMPRESSION_GZIP && form->level == 0 && !form->force &&
	    !form->docker && output->annotate.len == 0)
		return 0;
	return xb_error_usage(err, "give these to the legs",
			      "-o type=%s: layers, media types and annotations are those that the "
			      "legs made",
			      type);
}

int xb_outputs_check_merged(const struct xb_outputs *outputs, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < outputs->len; i++)
		r = check_merged(&outputs->items[i], err);
	return r;
}
