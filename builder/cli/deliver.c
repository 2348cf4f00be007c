/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/pool.h"
#include "builder/cache/supply.h"
#include "builder/cli/audit_build.h"
#include "builder/cli/leg_result.h"
#include "builder/cli/report.h"
#include "builder/cli/stop.h"
#include "builder/cli/transfers.h"
#include "builder/context/memory.h"
#include "builder/solve/assemble.h"
#include "builder/solve/output_file.h"
#include "builder/solve/output_push.h"

/* Outputs that are written at once: more only wait for the disk. */
#define MOST_OUTPUTS 4

/* What is made of the results: an image for each form, and one for each output that has annotations
 * of its own. */
struct delivery {
	const struct xb_build_request *request;
	struct xb_plan plan; /* without targets that failed */
	struct xb_plan_target *targets;
	struct xb_forms forms;
	struct xb_assembled *images;  /* by form, then by output */
	struct xb_catalog steps;      /* records that go into the images */
	const atomic_bool *cancelled; /* of what this thread does by itself */
};

static void delivery_clear(struct delivery *d)
{
	for (size_t i = 0; d->images != NULL && i < d->forms.len + d->request->outputs.len; i++)
		xb_assembled_clear(&d->images[i]);
	free(d->images);
	free(d->targets);
	xb_array_clear(&d->forms);
	xb_catalog_clear(&d->steps);
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

bool xb_deliver_files(const struct xb_build_request *request)
{
	bool files = false;

	for (size_t i = 0; i < request->outputs.len; i++)
		files |= request->outputs.items[i].type == XB_OUTPUT_LOCAL ||
			 request->outputs.items[i].type == XB_OUTPUT_TAR;
	return files;
}

bool xb_deliver_keeps(const struct xb_build_request *request)
{
	bool keeps = false;

	for (size_t i = 0; i < request->outputs.len; i++)
		keeps |= xb_output_has_image(&request->outputs.items[i]) &&
			 request->outputs.items[i].type != XB_OUTPUT_REGISTRY;
	return keeps;
}

/* Write a small file of the user's, whole or not at all; what is a device or a pipe is written to.
 */
static int write_file(const struct delivery *d, const char *path, struct xb_view text,
		      struct xb_error *err)
{
	xb_auto_output_file struct xb_output_file file = XB_OUTPUT_FILE_INIT;
	/* no option for notes means standard output by a dash */
	const char *dest = strcmp(path, "-") == 0 ? "./-" : path;
	int r = xb_output_file_open(&file, dest, d->cancelled, err);

	if (r == 0)
		r = xb_write_all(file.fd, text.data, text.len, err);
	if (r == 0)
		r = xb_output_file_done(&file, err);
	return r < 0 ? xb_error_wrap(err, r, "writing %s", path) : 0;
}

/* `image` NULL: there is none to tell of. */
static int write_metadata(const struct delivery *d, const struct xb_assembled *image,
			  struct xb_error *err)
{
	const struct xb_build_request *request = d->request;
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
	return r < 0 ? r : write_file(d, request->options.metadata_file, xb_str_view(&text), err);
}

static int assemble_one(const struct delivery *d, const struct xb_results *results,
			const struct xb_annotate *annotate, const struct xb_form *form,
			struct xb_assembled *ret, struct xb_error *err)
{
	const struct xb_build_request *request = d->request;
	unsigned flags = request->options.no_index_labels ? 0 : XB_ASSEMBLE_LABELS;

	/* the index is that of all legs, which the merge makes */
	if (request->index && !request->leg.on)
		flags |= XB_ASSEMBLE_INDEX;
	return xb_assemble(request->store, &d->plan, results, request->epoch, annotate, form, flags,
			   &d->steps, ret, err);
}

/* The image of an output that has annotations of its own. */
static int assemble_own(const struct delivery *d, const struct xb_results *results,
			const struct xb_output *output, struct xb_assembled *ret,
			struct xb_error *err)
{
	xb_auto_annotate struct xb_annotate all = { 0 };

	xb_annotate_append(&all, &d->request->parity.annotate);
	xb_annotate_append(&all, &output->annotate);
	return assemble_one(d, results, &all, &output->form, ret, err);
}

static int assemble(struct delivery *d, const struct xb_results *results, struct xb_error *err)
{
	const struct xb_outputs *outputs = &d->request->outputs;
	int r = 0;

	d->images = xb_calloc(d->forms.len + outputs->len + 1, sizeof(*d->images));
	for (size_t i = 0; r == 0 && i < d->forms.len; i++)
		r = assemble_one(d, results, &d->request->parity.annotate, &d->forms.items[i],
				 &d->images[i], err);
	for (size_t i = 0; r == 0 && i < outputs->len; i++) {
		if (outputs->items[i].annotate.len > 0)
			r = assemble_own(d, results, &outputs->items[i],
					 &d->images[d->forms.len + i], err);
	}
	return r;
}

/* The image of an output, NULL where it holds none. */
static const struct xb_assembled *image_of(struct delivery *d, size_t index)
{
	const struct xb_output *output = &d->request->outputs.items[index];

	if (!xb_output_has_image(output))
		return NULL;
	return &d->images[output->annotate.len > 0 ? d->forms.len + index
						   : xb_forms_add(&d->forms, &output->form)];
}

/* The image that the build is said to have given, NULL where it gave none: the first output's. */
static const struct xb_assembled *first_image(struct delivery *d)
{
	const struct xb_assembled *image = NULL;

	for (size_t i = 0; image == NULL && i < d->request->outputs.len; i++)
		image = image_of(d, i);
	return image == NULL && d->forms.len > 0 ? &d->images[0] : image;
}

/* The files that tell of the result. */
static int write_notes(struct delivery *d, struct xb_error *err)
{
	const struct xb_build_options *options = &d->request->options;
	const struct xb_assembled *image = first_image(d);
	int r = 0;

	if (options->metadata_file != NULL)
		r = write_metadata(d, image, err);
	if (r == 0 && options->iid_file != NULL && image != NULL)
		r = write_file(d, options->iid_file, xb_view(image->root.digest.text), err);
	return r;
}

/* What a leg leaves, last of all: whoever finds it finds what it tells of. */
static int write_leg(struct delivery *d, struct xb_error *err)
{
	const struct xb_build_request *request = d->request;
	xb_autofree const struct xb_assembled **images =
		xb_calloc(request->outputs.len + 1, sizeof(const struct xb_assembled *));
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int r;

	if (!xb_leg_leaves(request))
		return 0;
	for (size_t i = 0; i < request->outputs.len; i++)
		images[i] = image_of(d, i);
	r = xb_leg_describe(request, images, &text, err);
	return r < 0 ? r : write_file(d, request->options.result, xb_str_view(&text), err);
}

/* ---- outputs ------------------------------------------------------------------------------- */

/* An output being written. `job` is first. */
struct writing {
	struct xb_job job;
	const struct xb_output *output;
	struct xb_output_source source;
	atomic_bool *stop; /* set by the first that fails, for all */
	int status;
	struct xb_error error;
};

static void run_writing(struct xb_job *job)
{
	struct writing *w = (struct writing *)job;

	w->status = xb_output_write(w->output, &w->source, &w->error);
	if (w->status < 0)
		atomic_store(w->stop, true);
}

/* Outputs to one place are written one after the other: the last one stays. */
static bool share_a_place(const struct xb_outputs *outputs)
{
	for (size_t i = 0; i < outputs->len; i++) {
		for (size_t k = 0; outputs->items[i].dest != NULL && k < i; k++) {
			if (outputs->items[k].dest != NULL &&
			    strcmp(outputs->items[k].dest, outputs->items[i].dest) == 0)
				return true;
		}
	}
	return false;
}

/* Wait for all outputs; a signal ends them. Returns whether there was one. */
static bool wait_for_outputs(struct xb_pool *pool, size_t count, int stop_fd, atomic_bool *stop)
{
	bool stopped = false;

	while (count > 0) {
		struct pollfd fds[] = {
			{ .fd = xb_pool_fd(pool), .events = POLLIN },
			{ .fd = stopped ? -1 : stop_fd, .events = POLLIN },
		};

		(void)poll(fds, XB_COUNT(fds), -1);
		if (fds[1].revents != 0) {
			stopped = true;
			atomic_store(stop, true);
		}
		while (xb_pool_collect(pool) != NULL)
			count--;
	}
	return stopped;
}

/* The error of the first output that failed by itself and was not stopped by another. */
static int first_error(struct writing *writings, size_t count, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; i < count; i++) {
		if (r == 0 && writings[i].status < 0 && writings[i].status != -ECANCELED) {
			r = writings[i].status;
			xb_error_move(err, &writings[i].error);
		}
		xb_error_clear(&writings[i].error);
	}
	return r;
}

static int run_writings(const struct delivery *d, struct writing *writings, atomic_bool *stop,
			struct xb_error *err)
{
	const struct xb_outputs *outputs = &d->request->outputs;
	xb_auto_pool struct xb_pool *pool = NULL;
	bool stopped;
	unsigned most = share_a_place(outputs) ? 1 : MOST_OUTPUTS;
	int r = xb_pool_new(outputs->len < most ? (unsigned)outputs->len : most, &pool, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < outputs->len; i++)
		xb_pool_submit(pool, &writings[i].job);
	stopped = wait_for_outputs(pool, outputs->len, d->request->stop_fd, stop);
	r = first_error(writings, outputs->len, err);
	if (r < 0 || !stopped)
		return r;
	(void)xb_error_set(err, -ECANCELED, "interrupted");
	return xb_error_fault(err, XB_FAULT_INTERRUPTED);
}

/* Which blobs of the store were found whole by earlier builds. */
static struct xb_context_memory *open_memory(const struct xb_store *store)
{
	xb_auto_fd int fd = openat(xb_store_dirfd(store), "blobs",
				   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return xb_context_memory_open(xb_store_contexts(store), fd);
}

static int write_outputs(struct delivery *d, const struct xb_results *results, bool own_files,
			 struct xb_strv *ret_kept, struct xb_error *err)
{
	const struct xb_build_request *request = d->request;
	xb_autofree struct writing *writings =
		xb_calloc(request->outputs.len + 1, sizeof(*writings));
	xb_auto_context_memory struct xb_context_memory *blobs = open_memory(request->store);
	static const struct xb_strv nameless;
	atomic_bool stop = false;
	int r;

	for (size_t i = 0; i < request->outputs.len; i++) {
		const struct xb_output *output = &request->outputs.items[i];

		writings[i] = (struct writing){
			.job.run = run_writing,
			.output = output,
			.stop = &stop,
			.source = {
				.store = request->store,
				.plan = &d->plan,
				.several = request->several,
				.results = results,
				.names = request->leg.on ? &nameless : &request->options.names,
				.epoch = request->epoch,
				.max_layer = request->max_layer,
				.blobs = blobs,
				.cancelled = &stop,
				.own_files = own_files,
				.assembled = image_of(d, i),
			},
		};
	}
	xb_supply_stop_at(request->store, &stop);
	r = run_writings(d, writings, &stop, err);
	xb_supply_stop_at(request->store, NULL);
	for (size_t i = 0; i < request->outputs.len; i++) {
		if (writings[i].status > 0)
			xb_strv_push(ret_kept, writings[i].output->dest);
	}
	/* a help for the next build alone */
	(void)xb_context_memory_save(blobs, NULL);
	return r;
}

/* ---- targets that failed ------------------------------------------------------------------- */

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

/* ---- pushing ------------------------------------------------------------------------------ */

/* An output whose tags move only once everything else has been written. */
static int push(struct delivery *d, size_t index, const struct xb_registry_opener *opener,
		struct xb_transfers *transfers, struct xb_str *notes, struct xb_error *err)
{
	const struct xb_build_request *request = d->request;
	const struct xb_output_source source = {
		.store = request->store,
		.plan = &d->plan,
		.assembled = image_of(d, index),
		.names = &request->options.names,
		.cancelled = d->cancelled,
	};
	const struct xb_output_push how = {
		.opener = opener,
		.allow_drop = request->options.allow_drop,
		.dry_run = request->options.dry_run,
		.notes = notes,
		.watch = xb_transfers_watch(transfers),
	};

	return xb_output_push(&request->outputs.items[index], &source, &how, err);
}

static int push_outputs(struct delivery *d, struct xb_registries *registries, struct xb_error *err)
{
	const struct xb_outputs *outputs = &d->request->outputs;
	const struct xb_registry_opener opener = xb_registries_opener(registries);
	xb_auto_str struct xb_str notes = XB_STR_INIT(XB_STR_OWN);
	enum xb_progress_mode mode = XB_PROGRESS_QUIET;
	struct xb_transfers *transfers;
	int r = 0;

	if (!d->request->options.quiet)
		r = xb_progress_mode(d->request->options.progress, &mode, err);
	transfers = xb_transfers_new(mode);
	for (size_t i = 0; r == 0 && i < outputs->len; i++) {
		if (xb_output_is_pushed(&outputs->items[i]))
			r = push(d, i, &opener, transfers, &notes, err);
	}
	xb_transfers_free(transfers);
	if (!d->request->options.quiet || d->request->options.dry_run)
		(void)fputs(xb_str_text(&notes), stderr);
	return r;
}

/* ---- all of it ---------------------------------------------------------------------------- */

/* What is done when all outputs are written, in the caller's thread. */
static int publish(struct delivery *d, struct xb_registries *registries, struct xb_error *err)
{
	xb_auto_stop struct xb_stop *stop = xb_stop_new(d->request->stop_fd);
	int r;

	d->cancelled = xb_stop_flag(stop);
	r = push_outputs(d, registries, err);
	if (r == 0)
		r = write_notes(d, err);
	return r == 0 ? write_leg(d, err) : r;
}

int xb_deliver(struct xb_build_request *request, const struct xb_results *results, bool own_files,
	       struct xb_digest *ret, struct xb_strv *ret_kept, struct xb_error *err)
{
	XB_CLEANUP(delivery_clear)
	struct delivery d = {
		.request = request,
		.targets = xb_calloc(request->plan->target_count, sizeof(*d.targets)),
	};
	int r;

	d.plan = without_missing(request->plan, results, d.targets);
	xb_deliver_forms(request, &d.forms);
	r = xb_caches_inline(&request->caches, request->store, &d.plan, results, &d.steps, err);
	if (r == 0)
		r = assemble(&d, results, err);
	if (r == 0)
		r = xb_audit_build(request, d.forms.len > 0 ? &first_image(&d)->root : NULL, err);
	if (r == 0)
		r = write_outputs(&d, results, own_files, ret_kept, err);
	if (r == 0)
		r = publish(&d, &request->registries, err);
	if (r == 0 && d.forms.len > 0)
		*ret = first_image(&d)->root.digest;
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
