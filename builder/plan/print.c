/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/json.h"
#include "base/url.h"
#include "builder/plan/plan.h"

static const char *const kind_names[] = {
	[XB_STEP_BASE] = "base",       [XB_STEP_RUN] = "run",	  [XB_STEP_COPY] = "copy",
	[XB_STEP_WORKDIR] = "workdir", [XB_STEP_FETCH] = "fetch",
};

/* Whether some target needs another platform than the step runs on. */
static bool serves_others(const struct xb_plan *plan, const struct xb_step *step)
{
	for (size_t t = 0; t < plan->target_count; t++) {
		if (!xb_platform_eq(&plan->targets[t].platform, &step->platform))
			return true;
	}
	return false;
}

/* Whether a flag --platform pinned the step's stage. */
static bool pinned(const struct xb_plan *plan, const struct xb_step *step)
{
	for (size_t t = 0; t < plan->target_count; t++) {
		if (xb_platform_eq(&plan->targets[t].platform, &step->platform))
			return false;
	}
	return true;
}

const char *xb_plan_strategy_name(const struct xb_plan *plan, const struct xb_step *step)
{
	if (step->kind != XB_STEP_RUN)
		return "builder";
	if (step->strategy == XB_STRATEGY_NATIVE && serves_others(plan, step) && pinned(plan, step))
		return "cross";
	return xb_strategy_name(step->strategy);
}

static void print_inputs(const struct xb_step *step, struct xb_str *out)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	for (size_t i = 0; i < xb_step_input_count(step); i++) {
		size_t input = xb_step_input(step, i);

		if (input != XB_STEP_NONE)
			(void)xb_str_printf(&text, "%s%zu", text.len > 0 ? "," : "", input);
	}
	(void)xb_str_printf(out, " %-7s", text.len > 0 ? xb_str_text(&text) : "-");
}

void xb_plan_print(const struct xb_plan *plan, struct xb_str *out)
{
	(void)xb_str_puts(out, "STEP  ON      PLATFORM        HOW        WHAT\n");
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct xb_step *step = &plan->steps[i];
		const char *what = strchr(step->title, ']');

		(void)xb_str_printf(out, "%-5zu", i);
		print_inputs(step, out);
		(void)xb_str_printf(out, " %-15s %-10s %s", xb_platform_name(&step->platform).text,
				    xb_plan_strategy_name(plan, step), step->stage);
		(void)xb_str_puts(out, what != NULL ? what + 1 : "");
		(void)xb_str_putc(out, '\n');
		if (step->kind == XB_STEP_RUN)
			(void)xb_str_printf(out, "%-41s(%s)\n", "", step->reason);
	}
	for (size_t t = 0; t < plan->target_count; t++) {
		const struct xb_plan_target *target = &plan->targets[t];

		if (target->step == XB_STEP_NONE)
			(void)xb_str_printf(out, "image %s: empty\n",
					    xb_platform_name(&target->platform).text);
		else
			(void)xb_str_printf(out, "image %s: step %zu\n",
					    xb_platform_name(&target->platform).text, target->step);
	}
}

/* A string of any bytes: what is not UTF-8 is replaced, as in members of objects. */
static json_t *text_to_json(const char *text)
{
	json_t *holder = json_object();
	json_t *value;

	xb_json_set_string(holder, "text", text);
	value = json_incref(json_object_get(holder, "text"));
	json_decref(holder);
	return value;
}

static json_t *list_to_json(const char *const *list)
{
	json_t *array = json_array();

	for (size_t i = 0; list[i] != NULL; i++)
		(void)json_array_append_new(array, text_to_json(list[i]));
	return array;
}

static const char *const origins[] = {
	[XB_COPY_CONTEXT] = "context",
	[XB_COPY_NAMED] = "named-context",
	[XB_COPY_STEP] = "step",
};

static json_t *mount_to_json(const struct xb_step_mount *mount)
{
	json_t *object = json_object();
	bool files = mount->type == XB_MOUNT_BIND || mount->type == XB_MOUNT_CACHE;

	xb_json_set_string(object, "type", xb_mount_type_name(mount->type));
	if (files && (mount->origin != XB_COPY_STEP || mount->from != XB_STEP_NONE)) {
		xb_json_set_string(object, "origin", origins[mount->origin]);
		xb_json_set_string(object, "context", mount->from_name);
		if (mount->origin == XB_COPY_STEP)
			xb_json_set_u64(object, "from", mount->from);
	}
	xb_json_set_string(object, "source", mount->source);
	xb_json_set_string(object, "target", mount->target);
	xb_json_set_string(object, "id", mount->id);
	xb_json_set_string(object, "env", mount->env);
	if (mount->type == XB_MOUNT_CACHE)
		xb_json_set_string(object, "sharing", xb_mount_sharing_name(mount->sharing));
	xb_json_set_new(object, "readOnly", json_boolean(mount->read_only));
	return object;
}

static json_t *file_to_json(const struct xb_step_file *file)
{
	json_t *object = json_object();

	xb_json_set_string(object, "name", file->name);
	xb_json_set_string(object, "content", file->content);
	return object;
}

static json_t *run_to_json(const struct xb_step_run *run)
{
	json_t *object = json_object();
	json_t *mounts = json_array();

	xb_json_set_new(object, "argv", list_to_json(run->argv));
	xb_json_set_new(object, "env", list_to_json(run->env));
	xb_json_set_string(object, "cwd", run->cwd);
	xb_json_set_string(object, "user", run->user);
	for (size_t i = 0; i < run->mount_count; i++)
		(void)json_array_append_new(mounts, mount_to_json(&run->mounts[i]));
	if (run->mount_count > 0)
		xb_json_set_new(object, "mounts", mounts);
	else
		json_decref(mounts);
	if (run->no_network)
		xb_json_set_string(object, "network", "none");
	if (run->insecure)
		xb_json_set_string(object, "security", "insecure");
	if (run->devices[0] != NULL)
		xb_json_set_new(object, "devices", list_to_json(run->devices));
	if (run->script != NULL)
		xb_json_set_new(object, "script", file_to_json(run->script));
	return object;
}

static void set_flags(json_t *object, const struct xb_step_copy *copy)
{
	const struct {
		const char *name;
		bool value;
	} flags[] = {
		{ "unpack", copy->unpack },
		{ "link", copy->link },
		{ "parents", copy->parents },
	};

	for (size_t i = 0; i < XB_COUNT(flags); i++) {
		if (flags[i].value)
			xb_json_set_new(object, flags[i].name, json_true());
	}
}

static json_t *fetches_to_json(const struct xb_step_copy *copy)
{
	json_t *array = json_array();

	for (size_t i = 0; i < copy->fetch_count; i++) {
		const struct xb_copy_fetch *fetch = &copy->fetches[i];
		json_t *object = json_object();

		xb_json_set_u64(object, "from", fetch->step);
		xb_json_set_u64(object, "before", fetch->before);
		xb_json_set_string(object, "path", fetch->path);
		if (fetch->unpack)
			xb_json_set_new(object, "unpack", json_true());
		(void)json_array_append_new(array, object);
	}
	return array;
}

static json_t *fetch_to_json(const struct xb_step_fetch *fetch)
{
	json_t *object = json_object();

	xb_json_set_string(object, "type", fetch->git ? "git" : "http");
	xb_json_set_string(object, "url", fetch->shown);
	xb_json_set_string(object, "name", fetch->name);
	xb_json_set_string(object, "checksum", fetch->checksum);
	if (fetch->keep_git_dir != XB_GIT_UNSAID)
		xb_json_set_new(object, "keepGitDir",
				json_boolean(fetch->keep_git_dir == XB_GIT_ON));
	return object;
}

static json_t *copy_to_json(const struct xb_step_copy *copy)
{
	json_t *object = json_object();

	xb_json_set_string(object, "origin", origins[copy->origin]);
	if (copy->origin == XB_COPY_STEP && copy->from != XB_STEP_NONE)
		xb_json_set_u64(object, "from", copy->from);
	xb_json_set_string(object, "context", copy->from_name);
	xb_json_set_new(object, "sources", list_to_json(copy->sources));
	if (copy->fetch_count > 0)
		xb_json_set_new(object, "fetches", fetches_to_json(copy));
	if (copy->file_count > 0) {
		json_t *files = json_array();

		for (size_t i = 0; i < copy->file_count; i++)
			(void)json_array_append_new(files, file_to_json(&copy->files[i]));
		xb_json_set_new(object, "files", files);
	}
	if (copy->excludes[0] != NULL)
		xb_json_set_new(object, "excludes", list_to_json(copy->excludes));
	set_flags(object, copy);
	xb_json_set_string(object, "destination", copy->destination);
	xb_json_set_string(object, "chown", copy->chown);
	if (copy->mode >= 0)
		xb_json_set_u64(object, "mode", (uint64_t)copy->mode);
	xb_json_set_string(object, "chmod", copy->chmod);
	return object;
}

static json_t *step_to_json(const struct xb_plan *plan, size_t index)
{
	const struct xb_step *step = &plan->steps[index];
	xb_auto_str struct xb_str source = XB_STR_INIT(XB_STR_OWN);
	json_t *object = json_object();

	xb_json_set_u64(object, "id", index);
	xb_json_set_string(object, "kind", kind_names[step->kind]);
	xb_json_set_string(object, "platform", xb_platform_name(&step->platform).text);
	xb_json_set_string(object, "strategy", xb_plan_strategy_name(plan, step));
	xb_json_set_string(object, "reason", step->reason);
	xb_json_set_string(object, "stage", step->stage);
	xb_json_set_u64(object, "line", step->instruction->at.line);
	xb_url_append_masked(&source, xb_view(step->instruction->source));
	xb_json_set_string(object, "instruction", xb_str_text(&source));
	xb_json_set_string(object, "identity", step->identity.text);
	if (step->parent != XB_STEP_NONE)
		xb_json_set_u64(object, "parent", step->parent);
	switch (step->kind) {
	case XB_STEP_BASE:
		xb_json_set_string(object, "image", step->base.name);
		xb_json_set_string(object, "manifest", step->base.image->descriptor.digest.text);
		break;
	case XB_STEP_RUN:
		xb_json_set_new(object, "run", run_to_json(&step->run));
		break;
	case XB_STEP_COPY:
		xb_json_set_new(object, step->copy.add ? "add" : "copy", copy_to_json(&step->copy));
		break;
	case XB_STEP_WORKDIR:
		xb_json_set_string(object, "path", step->workdir.path);
		break;
	case XB_STEP_FETCH:
		xb_json_set_new(object, "fetch", fetch_to_json(&step->fetch));
		break;
	}
	return object;
}

json_t *xb_plan_to_json(const struct xb_plan *plan)
{
	json_t *object = json_object();
	json_t *steps = json_array();
	json_t *targets = json_array();
	json_t *warnings = json_array();

	for (size_t i = 0; i < plan->step_count; i++)
		(void)json_array_append_new(steps, step_to_json(plan, i));
	for (size_t t = 0; t < plan->target_count; t++) {
		json_t *target = json_object();

		xb_json_set_string(target, "platform",
				   xb_platform_name(&plan->targets[t].platform).text);
		if (plan->targets[t].step != XB_STEP_NONE)
			xb_json_set_u64(target, "step", plan->targets[t].step);
		(void)json_array_append_new(targets, target);
	}
	for (size_t i = 0; i < plan->warnings.len; i++)
		(void)json_array_append_new(warnings, text_to_json(plan->warnings.items[i]));
	xb_json_set_string(object, "buildPlatform", xb_platform_name(&plan->build_platform).text);
	xb_json_set_new(object, "steps", steps);
	xb_json_set_new(object, "images", targets);
	xb_json_set_new(object, "warnings", warnings);
	return object;
}
