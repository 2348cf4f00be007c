/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "builder/cli/report.h"
#include "builder/solve/assemble.h"

/* What is made of the results: an image for each form. */
struct delivery {
	const struct xb_build_request *request;
	struct xb_plan plan; /* without targets that failed */
	struct xb_plan_target *targets;
	struct xb_forms forms;
	struct xb_assembled *images; /* by form */
};

static void delivery_clear(struct delivery *d)
{
	for (size_t i = 0; d->images != NULL && i < d->forms.len; i++)
		xb_assembled_clear(&d->images[i]);
	free(d->images);
	free(d->targets);
	xb_array_clear(&d->forms);
}

void xb_deliver_forms(const struct xb_build_request *request, struct xb_forms *ret)
{
	const struct xb_form plain = { 0 };

	for (size_t i = 0; i < request->outputs.len; i++) {
		if (xb_output_has_image(&request->outputs.items[i]))
			(void)xb_forms_add(ret, &request->outputs.items[i].form);
	}
	if (ret->len == 0 && (request->options.names.len > 0 || request->options.iid_file != NULL))
		(void)xb_forms_add(ret, &plain);
}

/* Write a small file of the user's, whole or not at all, for everybody to read. */
static int write_file(const char *path, struct xb_view text, struct xb_error *err)
{
	int r = xb_file_replace_at(AT_FDCWD, path, text.data, text.len, false, err);

	if (r == 0 && chmod(path, 0644) < 0)
		r = xb_error_errno(err, -errno, "setting its mode");
	return r < 0 ? xb_error_wrap(err, r, "writing %s", path) : 0;
}

/* `image` NULL: there is none to tell of. */
static int write_metadata(const struct xb_build_request *request, const struct xb_assembled *image,
			  struct xb_error *err)
{
	xb_auto_json json_t *object = json_object();
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int r;

	if (image != NULL) {
		xb_json_set_string(object, "containerimage.digest", image->root.digest.text);
		xb_json_set_new(object, "containerimage.descriptor",
				xb_descriptor_to_json(&image->root));
	}
	if (request->options.names.len > 0) {
		xb_autofree char *names = xb_strv_join(&request->options.names, ",");

		xb_json_set_string(object, "image.name", names);
	}
	r = xb_json_write_pretty(object, &text, err);
	return r < 0 ? r : write_file(request->options.metadata_file, xb_str_view(&text), err);
}

/* The files that tell of the result. */
static int write_notes(const struct delivery *d, struct xb_error *err)
{
	const struct xb_build_options *options = &d->request->options;
	const struct xb_assembled *image = d->forms.len > 0 ? &d->images[0] : NULL;
	int r = 0;

	if (options->metadata_file != NULL)
		r = write_metadata(d->request, image, err);
	if (r == 0 && options->iid_file != NULL && image != NULL)
		r = write_file(options->iid_file, xb_view(image->root.digest.text), err);
	return r;
}

static int assemble(struct delivery *d, const struct xb_results *results, struct xb_error *err)
{
	const struct xb_build_request *request = d->request;
	int r = 0;

	d->images = xb_calloc(d->forms.len + 1, sizeof(*d->images));
	for (size_t i = 0; r == 0 && i < d->forms.len; i++)
		r = xb_assemble(request->store, &d->plan, results, request->epoch,
				&request->parity.annotate, &d->forms.items[i], request->index,
				&d->images[i], err);
	return r;
}

static int write_outputs(struct delivery *d, const struct xb_results *results, bool own_files,
			 struct xb_error *err)
{
	const struct xb_build_request *request = d->request;
	struct xb_output_source source = {
		.store = request->store,
		.plan = &d->plan,
		.several = request->several,
		.results = results,
		.names = &request->options.names,
		.epoch = request->epoch,
		.max_layer = request->max_layer,
		.own_files = own_files,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < request->outputs.len; i++) {
		const struct xb_output *output = &request->outputs.items[i];

		source.assembled = xb_output_has_image(output)
					   ? &d->images[xb_forms_add(&d->forms, &output->form)]
					   : NULL;
		r = xb_output_write(output, &source, err);
	}
	return r;
}

/*
 * The plan without targets that have no result, which were allowed to fail; `targets` (room for
 * all) gets those that are left. Each that is left out is told.
 */
static struct xb_plan without_missing(const struct xb_plan *plan, const struct xb_results *results,
				      struct xb_plan_target *targets)
{
	struct xb_plan left = *plan;

	left.targets = targets;
	left.target_count = 0;
	for (size_t t = 0; t < plan->target_count; t++) {
		xb_autofree char *text = NULL;

		if (xb_results_have(results, plan->targets[t].step)) {
			targets[left.target_count++] = plan->targets[t];
			continue;
		}
		text = xb_format("%s failed and is left out of the result",
				 xb_platform_name(&plan->targets[t].platform).text);
		xb_report_warning(text);
	}
	return left;
}

int xb_deliver(const struct xb_build_request *request, const struct xb_results *results,
	       bool own_files, struct xb_digest *ret, struct xb_error *err)
{
	XB_CLEANUP(delivery_clear)
	struct delivery d = {
		.request = request,
		.targets = xb_calloc(request->plan->target_count, sizeof(*d.targets)),
	};
	int r;

	d.plan = without_missing(request->plan, results, d.targets);
	xb_deliver_forms(request, &d.forms);
	r = assemble(&d, results, err);
	if (r == 0)
		r = write_outputs(&d, results, own_files, err);
	if (r == 0)
		r = write_notes(&d, err);
	if (r == 0 && d.forms.len > 0)
		*ret = d.images[0].root.digest;
	return r;
}

void xb_deliver_print(const struct xb_build_request *request, const struct xb_digest *digest)
{
	if (xb_digest_empty(digest))
		return;
	for (size_t i = 0; i < request->outputs.len; i++) {
		const char *dest = request->outputs.items[i].dest;

		if (dest != NULL && strcmp(dest, "-") == 0)
			return;
	}
	(void)printf("%s\n", digest->text);
}
