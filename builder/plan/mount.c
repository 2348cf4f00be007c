/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/mount.h"

#include <errno.h>
#include <string.h>

#include "builder/dockerfile/location.h"
#include "builder/plan/path.h"

/* Where secrets are unless said otherwise. */
#define SECRETS "/run/secrets/"

/* A mount on its way into a step. */
struct planning {
	struct xb_plan *plan;
	const struct xb_stage_state *state;
	const struct xb_mount *mount;
	const char *cache_ns;
};

static const char *keep(const struct planning *p, const char *text)
{
	return text != NULL ? xb_arena_dup(p->plan->arena, xb_view(text)) : NULL;
}

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* Files without a target lie over the working directory, as in BuildKit. */
static const char *target_of(const struct planning *p)
{
	const char *cwd = p->state->config.working_dir;
	const char *target = p->mount->target != NULL ? p->mount->target : "";
	bool is_file = p->mount->type == XB_MOUNT_SECRET || p->mount->type == XB_MOUNT_SSH;
	xb_autofree char *path = NULL;

	if (target[0] == '\0' && is_file)
		return NULL;
	path = xb_plan_path(cwd != NULL && cwd[0] == '/' ? cwd : "/", target);
	return keep(p, path);
}

static const char *source_of(const struct planning *p)
{
	xb_autofree char *path =
		xb_plan_path("/", p->mount->source != NULL ? p->mount->source : "");

	return keep(p, path);
}

static void set_modes(const struct xb_mount *mount, uint32_t mode, struct xb_step_mount *ret)
{
	ret->mode = mount->has_mode ? mount->mode : mode;
	ret->uid = mount->uid;
	ret->gid = mount->gid;
}

static void plan_bind(const struct planning *p, const struct xb_copy_source *source,
		      struct xb_step_mount *ret)
{
	ret->origin = source->origin;
	ret->from = source->step;
	ret->from_name = source->name;
	ret->source = source_of(p);
}

/* Programs of one platform must not be found by those of another: unless a cache is named, each
 * platform has its own. */
static void plan_cache(const struct planning *p, const struct xb_copy_source *source,
		       struct xb_step_mount *ret)
{
	xb_autofree char *clean =
		xb_plan_path("/", p->mount->target != NULL ? p->mount->target : "");

	plan_bind(p, source, ret);
	if (p->mount->from == NULL || p->mount->from[0] == 0) {
		ret->origin = XB_COPY_STEP;
		ret->from = XB_STEP_NONE;
	}
	ret->sharing = p->mount->sharing;
	if (p->mount->id != NULL && p->mount->id[0] != '\0')
		ret->id = keep(p, p->mount->id);
	else
		ret->id = xb_arena_format(p->plan->arena, "%s %s",
					  xb_platform_name(&p->state->platform).text, clean);
	if (p->cache_ns != NULL && p->cache_ns[0] != '\0')
		ret->id = xb_arena_format(p->plan->arena, "%s/%s", p->cache_ns, ret->id);
	set_modes(p->mount, 0755, ret);
}

static int plan_secret(const struct planning *p, struct xb_step_mount *ret, struct xb_error *err)
{
	const struct xb_mount *mount = p->mount;
	const char *id = mount->source != NULL ? mount->source : mount->id;

	if (id == NULL || id[0] == '\0')
		id = mount->target != NULL ? last_name(mount->target) : "";
	if (id[0] == '\0') {
		(void)xb_error_set(err, -EINVAL, "the secret has no id");
		return xb_error_fault(err, XB_FAULT_SOURCE);
	}
	ret->id = keep(p, id);
	ret->env = keep(p, mount->env);
	if (ret->target == NULL && ret->env == NULL)
		ret->target = xb_arena_format(p->plan->arena, SECRETS "%s", last_name(id));
	set_modes(mount, 0400, ret);
	return 0;
}

static int plan_mount(const struct planning *p, const struct xb_copy_source *source,
		      struct xb_step_mount *ret, struct xb_error *err)
{
	const struct xb_mount *mount = p->mount;
	int r = 0;

	*ret = (struct xb_step_mount){
		.type = mount->type,
		.origin = XB_COPY_STEP,
		.from = XB_STEP_NONE,
		.target = target_of(p),
		.read_only = mount->read_only,
		.required = mount->required,
		.size = mount->size,
	};
	switch (mount->type) {
	case XB_MOUNT_BIND:
		plan_bind(p, source, ret);
		break;
	case XB_MOUNT_CACHE:
		plan_cache(p, source, ret);
		break;
	case XB_MOUNT_SECRET:
		r = plan_secret(p, ret, err);
		break;
	case XB_MOUNT_SSH:
		ret->id =
			mount->id != NULL && mount->id[0] != '\0' ? keep(p, mount->id) : "default";
		set_modes(mount, 0600, ret);
		break;
	case XB_MOUNT_TMPFS:
	case XB_MOUNT_COUNT_:
		break;
	}
	if (r == 0 && ret->target != NULL && strcmp(ret->target, "/") == 0) {
		(void)xb_error_set(err, -EINVAL, "invalid mount target \"%s\"",
				   mount->target != NULL ? mount->target : "");
		(void)xb_error_hint(err, "say where it shall be with target=PATH");
		return xb_error_fault(err, XB_FAULT_SOURCE);
	}
	return r;
}

static int read_mount(struct xb_planner *planner, const struct xb_stage_state *state,
		      const struct xb_dockerfile *file, const char *text,
		      const struct xb_copy_source *source, struct xb_step_mount *ret,
		      struct xb_error *err)
{
	struct xb_expand_env env = xb_scope_env(&state->vars, file);
	xb_auto_mount struct xb_mount mount = { 0 };
	struct planning p = { .plan = planner->plan,
			      .state = state,
			      .mount = &mount,
			      .cache_ns = planner->request->cache_ns };
	int r = xb_mount_parse(text, &env, &mount, err);

	return r < 0 ? r : plan_mount(&p, source, ret, err);
}

int xb_plan_mounts(struct xb_planner *planner, const struct xb_stage_state *state,
		   const struct xb_dockerfile *file, const struct xb_instruction *instruction,
		   const struct xb_copy_source *sources, struct xb_step_run *run,
		   struct xb_error *err)
{
	struct xb_step_mount *mounts =
		xb_arena_alloc(planner->plan->arena, instruction->flag_count + 1, sizeof(*mounts));
	size_t n = 0;

	for (size_t i = 0; i < instruction->flag_count; i++) {
		const struct xb_flag *flag = &instruction->flags[i];

		if (strcmp(flag->name, "mount") != 0)
			continue;
		if (read_mount(planner, state, file, flag->value, &sources[n], &mounts[n], err) < 0)
			return xb_location_wrap(file, flag->at, err);
		n++;
	}
	run->mounts = mounts;
	run->mount_count = n;
	return 0;
}
