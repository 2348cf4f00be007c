/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/steps.h"

void xb_steps_init(struct xb_steps *steps)
{
	*steps = (struct xb_steps){ .by_identity = xb_map_new() };
}

void xb_steps_clear(struct xb_steps *steps)
{
	xb_map_free(steps->by_identity);
	free(steps->items);
	*steps = (struct xb_steps){ 0 };
}

static void hash_text(struct xb_hasher *h, const char *text)
{
	xb_hasher_number(h, text != NULL);
	xb_hasher_field(h, xb_view(text));
}

static void hash_parent(struct xb_hasher *h, const struct xb_steps *steps, size_t parent)
{
	hash_text(h, parent == XB_STEP_NONE ? NULL : steps->items[parent].identity.text);
}

static void hash_file(struct xb_hasher *h, const struct xb_step_file *file)
{
	hash_text(h, file != NULL ? file->name : NULL);
	hash_text(h, file != NULL ? file->content : NULL);
}

static void hash_copy(struct xb_hasher *h, const struct xb_steps *steps,
		      const struct xb_step_copy *copy)
{
	xb_hasher_number(h, copy->add);
	xb_hasher_number(h, copy->unpack);
	xb_hasher_number(h, copy->link);
	xb_hasher_number(h, copy->parents);
	xb_hasher_number(h, copy->origin);
	hash_parent(h, steps, copy->origin == XB_COPY_STEP ? copy->from : XB_STEP_NONE);
	hash_text(h, copy->from_name);
	xb_hasher_list(h, copy->sources);
	xb_hasher_number(h, copy->fetch_count);
	for (size_t i = 0; i < copy->fetch_count; i++) {
		const struct xb_copy_fetch *fetch = &copy->fetches[i];

		hash_parent(h, steps, fetch->step);
		xb_hasher_number(h, fetch->before);
		hash_text(h, fetch->path);
		xb_hasher_number(h, fetch->unpack);
	}
	xb_hasher_number(h, copy->file_count);
	for (size_t i = 0; i < copy->file_count; i++)
		hash_file(h, &copy->files[i]);
	xb_hasher_list(h, copy->excludes);
	hash_text(h, copy->destination);
	hash_text(h, copy->chown);
	xb_hasher_number(h, (uint64_t)(int64_t)copy->mode);
	hash_text(h, copy->chmod);
}

/* What an environment comes to: computed once for the steps that share it. */
static const char *env_digest(struct xb_steps *steps, const char *const *env)
{
	if (steps->env != env) {
		xb_auto_hasher struct xb_hasher *h = xb_hasher_new();

		xb_hasher_list(h, env);
		steps->env_digest = xb_hasher_finish(h);
		steps->env = env;
	}
	return steps->env_digest.text;
}

static void hash_run(struct xb_hasher *h, struct xb_steps *steps, const struct xb_step *step)
{
	const struct xb_step_run *run = &step->run;
	xb_auto_str struct xb_str platform = XB_STR_INIT(XB_STR_OWN);

	(void)xb_platform_format(&step->platform, &platform);
	hash_text(h, xb_str_text(&platform));
	xb_hasher_list(h, run->argv);
	hash_text(h, env_digest(steps, run->env));
	xb_hasher_list(h, run->proxy);
	hash_text(h, run->cwd);
	hash_text(h, run->user);
	hash_text(h, run->hostname);
	xb_hasher_number(h, run->no_network);
	xb_hasher_number(h, run->insecure);
	xb_hasher_list(h, run->devices);
	hash_file(h, run->script);
	xb_hasher_number(h, run->mount_count);
	for (size_t i = 0; i < run->mount_count; i++) {
		const struct xb_step_mount *mount = &run->mounts[i];

		xb_step_mount_hash(mount, h);
		xb_hasher_number(h, mount->required);
		hash_parent(h, steps, mount->origin == XB_COPY_STEP ? mount->from : XB_STEP_NONE);
	}
}

static void hash_fetch(struct xb_hasher *h, const struct xb_step_fetch *fetch)
{
	hash_text(h, fetch->url);
	xb_hasher_number(h, fetch->git);
	hash_text(h, fetch->name);
	hash_text(h, fetch->checksum);
	xb_hasher_number(h, fetch->keep_git_dir);
}

static struct xb_digest identity(struct xb_steps *steps, const struct xb_step *step)
{
	xb_auto_hasher struct xb_hasher *h = xb_hasher_new();

	xb_hasher_number(h, step->kind);
	hash_parent(h, steps, step->parent);
	switch (step->kind) {
	case XB_STEP_BASE:
		hash_text(h, step->base.image->descriptor.digest.text);
		break;
	case XB_STEP_RUN:
		hash_run(h, steps, step);
		break;
	case XB_STEP_COPY:
		hash_copy(h, steps, &step->copy);
		break;
	case XB_STEP_WORKDIR:
		hash_text(h, step->workdir.path);
		hash_text(h, step->workdir.user);
		break;
	case XB_STEP_FETCH:
		hash_fetch(h, &step->fetch);
		break;
	}
	return xb_hasher_finish(h);
}

size_t xb_steps_add(struct xb_steps *steps, const struct xb_step *step)
{
	struct xb_step added = *step;
	void *known;

	added.identity = identity(steps, step);
	known = xb_map_get(steps->by_identity, xb_view(added.identity.text));
	if (known != NULL) {
		size_t index = (size_t)(uintptr_t)known - 1;

		steps->items[index].fresh = steps->items[index].fresh || step->fresh;
		return index;
	}

	*xb_array_push(steps) = added;
	(void)xb_map_set(steps->by_identity, xb_view(added.identity.text),
			 (void *)(uintptr_t)steps->len);
	return steps->len - 1;
}
