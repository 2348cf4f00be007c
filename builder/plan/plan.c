/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/plan.h"

#include <stdarg.h>

#include "builder/dockerfile/location.h"
#include "builder/dockerfile/parse.h"

int xb_plan_step_error(const struct xb_step *step, struct xb_error *err, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = xb_location_verror(step->file, step->instruction->at, err, format, args);
	va_end(args);
	if (err != NULL)
		err->fault = XB_FAULT_STEP;
	return r;
}

void xb_plan_free(struct xb_plan *plan)
{
	if (plan == NULL)
		return;
	for (size_t t = 0; t < plan->target_count; t++)
		xb_image_config_clear(&plan->targets[t].config);
	free(plan->targets);
	free(plan->steps);
	xb_strv_clear(&plan->warnings);
	for (size_t i = 0; i < plan->triggers.len; i++)
		xb_dockerfile_free(plan->triggers.items[i]);
	xb_array_clear(&plan->triggers);
	xb_arena_free(plan->arena);
	free(plan);
}

size_t xb_step_input_count(const struct xb_step *step)
{
	if (step->kind == XB_STEP_COPY)
		return 2 + step->copy.fetch_count;
	return step->kind == XB_STEP_RUN ? 1 + step->run.mount_count : 1;
}

size_t xb_step_input(const struct xb_step *step, size_t i)
{
	const struct xb_step_mount *mount;

	if (i == 0)
		return step->parent;
	if (step->kind == XB_STEP_COPY && i >= 2)
		return step->copy.fetches[i - 2].step;
	if (step->kind == XB_STEP_COPY)
		return step->copy.origin == XB_COPY_STEP ? step->copy.from : XB_STEP_NONE;
	mount = &step->run.mounts[i - 1];
	return mount->origin == XB_COPY_STEP ? mount->from : XB_STEP_NONE;
}

static void hash_text(struct xb_hasher *h, const char *text)
{
	xb_hasher_number(h, text != NULL);
	xb_hasher_field(h, xb_view(text));
}

void xb_step_mount_hash(const struct xb_step_mount *mount, struct xb_hasher *h)
{
	xb_hasher_number(h, mount->type);
	xb_hasher_number(h, mount->origin);
	hash_text(h, mount->from_name);
	hash_text(h, mount->source);
	hash_text(h, mount->target);
	hash_text(h, mount->id);
	hash_text(h, mount->env);
	xb_hasher_number(h, mount->sharing);
	xb_hasher_number(h, mount->read_only);
	xb_hasher_number(h, mount->mode);
	xb_hasher_number(h, mount->uid);
	xb_hasher_number(h, mount->gid);
	xb_hasher_number(h, mount->size);
	xb_hasher_number(h, mount->required);
}
