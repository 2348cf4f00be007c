/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/assemble.h"

#include "base/clock.h"
#include "builder/cache/blob.h"
#include "builder/solve/inline.h"
#include "manifest/image.h"
#include "manifest/labels.h"
#include "manifest/place_layout.h"

/* What history says of whoever made an entry: BuildKit's word, which tools look for. */
#define HISTORY_COMMENT "buildkit.dockerfile.v0"

void xb_assembled_clear(struct xb_assembled *a)
{
	xb_descriptor_clear(&a->root);
	xb_descriptors_clear(&a->manifests);
}

static const struct xb_result *result_of(const struct xb_results *results, size_t step)
{
	static const struct xb_result empty;

	return step == XB_STEP_NONE ? &empty : &results->items[step];
}

/* The time an image carries, in seconds: see xb_assemble(). */
static int64_t time_of(const struct xb_plan_target *target, const struct xb_result *result,
		       int64_t epoch)
{
	int64_t newest = 0;

	if (epoch >= 0)
		return epoch;
	for (size_t i = 0; i < result->layers.len; i++) {
		if (result->layers.items[i].created > newest)
			newest = result->layers.items[i].created;
	}
	if (newest == 0 && target->config.created != NULL)
		(void)xb_clock_parse(xb_view(target->config.created), &newest, NULL);
	return newest > 0 ? newest : xb_clock_now();
}

/* When the layer of a step was made; the time of the image for entries without a layer. */
static int64_t entry_time(const struct xb_results *results, const struct xb_plan_history *entry,
			  int64_t image_time, int64_t epoch)
{
	const struct xb_result *result = result_of(results, entry->step);

	if (epoch >= 0 || result->layers.len == 0)
		return image_time;
	return result->layers.items[result->layers.len - 1].created;
}

static void add_history(struct xb_image_config *config, const struct xb_plan_target *target,
			const struct xb_results *results, int64_t image_time, int64_t epoch)
{
	for (size_t i = 0; i < target->history_count; i++) {
		const struct xb_plan_history *entry = &target->history[i];
		xb_auto_str struct xb_str when = XB_STR_INIT(64);

		(void)xb_clock_format(entry_time(results, entry, image_time, epoch), &when);
		xb_image_config_add_history(config, xb_str_text(&when), entry->created_by,
					    HISTORY_COMMENT, entry->step == XB_STEP_NONE);
	}
}

/* Layers of a base that tells less than all of its history: readers count entries against layers.
 */
static void complete_history(struct xb_image_config *config)
{
	size_t told = 0;

	for (size_t i = 0; i < config->history.len; i++)
		told += !config->history.items[i].empty_layer;
	for (; told < config->diff_ids.len; told++)
		xb_image_config_add_history(config, NULL, NULL, "the base does not tell", false);
}

static void fill_config(struct xb_image_config *config, const struct xb_plan_target *target,
			const struct xb_results *results, int64_t epoch)
{
	const struct xb_result *result = result_of(results, target->step);
	int64_t image_time = time_of(target, result, epoch);
	xb_auto_str struct xb_str created = XB_STR_INIT(64);

	xb_image_config_copy(config, &target->config);
	(void)xb_clock_format(image_time, &created);
	xb_image_config_set(&config->created, xb_str_text(&created));
	complete_history(config);
	xb_array_clear(&config->diff_ids);
	for (size_t i = 0; i < result->layers.len; i++)
		*xb_array_push(&config->diff_ids) = result->layers.items[i].diff_id;
	add_history(config, target, results, image_time, epoch);
}

/* What the documents of all targets have in common. */
struct assembly {
	struct xb_store *store;
	struct xb_layout *layout;
	const struct xb_results *results;
	int64_t epoch;
	const struct xb_annotate *annotate;
	const struct xb_form *form;
	const struct xb_catalog *steps;
};

static int list_layers(const struct assembly *a, const struct xb_result *result,
		       struct xb_descriptors *layers, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < result->layers.len; i++) {
		xb_auto_descriptor struct xb_descriptor blob = XB_DESCRIPTOR_INIT;

		r = xb_form_descriptor(a->store, a->form, &result->layers.items[i], &blob, err);
		if (r == 0)
			(void)xb_descriptors_add(layers, &blob);
	}
	return r;
}

static int write_image(const struct assembly *a, const struct xb_plan_target *target,
		       struct xb_descriptors *manifests, struct xb_error *err)
{
	const struct xb_result *result = result_of(a->results, target->step);
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	xb_auto_descriptors struct xb_descriptors layers = { 0 };
	xb_auto_descriptor struct xb_descriptor manifest = XB_DESCRIPTOR_INIT;
	xb_auto_annotations struct xb_annotations annotations = { 0 };
	int r;

	fill_config(&config, target, a->results, a->epoch);
	r = list_layers(a, result, &layers, err);
	if (r == 0)
		r = xb_inline_put(&config, a->steps, &layers, err);
	xb_annotate_get(a->annotate, XB_ANNOTATE_MANIFEST, &target->platform, &annotations);
	if (r == 0)
		r = xb_image_write(a->layout, &config, &layers, &annotations,
				   a->form->docker ? XB_IMAGE_DOCKER : 0, &manifest, err);
	if (r < 0)
		return xb_error_wrap(err, r, "writing the image for %s",
				     xb_platform_name(&target->platform).text);
	xb_annotate_get(a->annotate, XB_ANNOTATE_MANIFEST_DESCRIPTOR, &target->platform,
			&manifest.annotations);
	(void)xb_descriptors_add(manifests, &manifest);
	return 0;
}

int xb_assemble_root(struct xb_layout *layout, const struct xb_descriptors *manifests,
		     const struct xb_assembled_root *how, struct xb_descriptor *ret,
		     struct xb_error *err)
{
	xb_auto_annotations struct xb_annotations own = { 0 };
	int r = 0;

	if (manifests->len == 1 && !how->index) {
		xb_descriptor_copy(ret, &manifests->items[0]);
		return 0;
	}
	/* a list of Docker's has no annotations but those that somebody asked for */
	if (how->labels != NULL && !how->docker)
		r = xb_labels_common(how->labels, manifests, &own, err);
	if (r < 0)
		return xb_error_wrap(err, r, "reading labels");
	for (size_t i = 0; i < how->own->len; i++)
		xb_annotations_set(&own, how->own->items[i].name, how->own->items[i].value);
	r = xb_image_write_index(layout, manifests, &own, how->docker ? XB_IMAGE_DOCKER : 0, ret,
				 err);
	if (r == 0)
		xb_annotations_copy(&ret->annotations, how->descriptor);
	return r;
}

static int write_root(const struct assembly *a, unsigned flags, struct xb_assembled *made,
		      struct xb_error *err)
{
	xb_auto_annotations struct xb_annotations own = { 0 }, descriptor = { 0 };
	struct xb_layout_place place = xb_layout_place(a->layout);
	const struct xb_assembled_root how = {
		.index = (flags & XB_ASSEMBLE_INDEX) != 0,
		.docker = a->form->docker,
		.own = &own,
		.descriptor = &descriptor,
		.labels = (flags & XB_ASSEMBLE_LABELS) != 0 ? &place.place : NULL,
	};

	xb_annotate_get(a->annotate, XB_ANNOTATE_INDEX, NULL, &own);
	xb_annotate_get(a->annotate, XB_ANNOTATE_INDEX_DESCRIPTOR, NULL, &descriptor);
	return xb_assemble_root(a->layout, &made->manifests, &how, &made->root, err);
}

int xb_assemble(struct xb_store *store, const struct xb_plan *plan,
		const struct xb_results *results, int64_t epoch, const struct xb_annotate *annotate,
		const struct xb_form *form, unsigned flags, const struct xb_catalog *steps,
		struct xb_assembled *ret, struct xb_error *err)
{
	static const struct xb_annotate none;
	static const struct xb_catalog no_steps;
	static const struct xb_form plain;
	xb_auto_assembled struct xb_assembled made = { 0 };
	xb_auto_layout struct xb_layout *layout = NULL;
	/* until the root, which names the other documents, is under the lease */
	xb_auto_fd int pin = xb_store_pin(store, err);
	int r = pin < 0 ? pin : xb_layout_open_at(xb_store_dirfd(store), ".", &layout, err);
	const struct assembly a = { store,
				    layout,
				    results,
				    epoch,
				    annotate != NULL ? annotate : &none,
				    form != NULL ? form : &plain,
				    steps != NULL ? steps : &no_steps };

	for (size_t t = 0; r == 0 && t < plan->target_count; t++)
		r = write_image(&a, &plan->targets[t], &made.manifests, err);
	if (r == 0)
		r = write_root(&a, flags, &made, err);
	if (r < 0) {
		(void)xb_error_fault(err, XB_FAULT_STORE);
		return r;
	}
	/* Asking for a blob puts it under this process's lease: a collection leaves it alone. */
	(void)xb_blob_has(store, &made.root.digest);
	*ret = made;
	made = (struct xb_assembled){ 0 };
	return 0;
}
