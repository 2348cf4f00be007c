/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/base.h"

#include <string.h>

#include "builder/dockerfile/location.h"

static void warn(const struct xb_plan_base *base, char *line)
{
	struct xb_strv *warnings = &base->planner->plan->warnings;

	if (xb_strv_find(warnings, line) < 0)
		xb_strv_push(warnings, line);
	free(line);
}

/* An older relative in place of the platform asked for is never taken in silence. */
static void warn_fallback(const struct xb_plan_base *base, const struct xb_image *image)
{
	const struct xb_platform *wanted = &base->state->platform;

	if (xb_platform_rank(wanted, &image->config.platform) == 0)
		return;
	warn(base, xb_format("%s has no image for %s: its image for %s is used", base->name,
			     xb_platform_name(wanted).text,
			     xb_platform_name(&image->config.platform).text));
}

static bool is_pinned(const struct xb_plan_base *base)
{
	return strchr(base->name, '@') != NULL;
}

static bool may_mismatch(const struct xb_plan_base *base)
{
	const struct xb_plan_allow *allow = &base->planner->request->allow;

	return is_pinned(base) ? allow->digest_pin : allow->base_platform;
}

/* Take the image whatever its platform is. Returns 0, or an error that says less than the one of
 * the first try. */
static int find_other(const struct xb_plan_base *base, const struct xb_image **ret)
{
	const struct xb_plan_sources *sources = &base->planner->request->sources;
	int r = sources->image(sources->context, base->name, &base->state->platform, true, ret,
			       NULL);

	if (r < 0)
		return r;
	warn(base, xb_format("%s is an image for %s, not %s, and taken as --allow-mismatch says",
			     base->name, xb_platform_name(&(*ret)->config.platform).text,
			     xb_platform_name(&base->state->platform).text));
	return 0;
}

static int no_image(const struct xb_plan_base *base, int code, struct xb_error *err)
{
	if (err != NULL && err->fault == XB_FAULT_PLATFORM) {
		xb_autofree char *before = err->hint;

		err->hint = NULL;
		(void)xb_error_hint(err, "%s%s--allow-mismatch=%s takes a single image as it is",
				    before != NULL ? before : "", before != NULL ? "; " : "",
				    is_pinned(base) ? "digest-pin" : "base-platform");
	}
	(void)xb_error_wrap(err, code, "image %s for %s", base->name,
			    xb_platform_name(&base->state->platform).text);
	(void)xb_location_wrap(base->file, base->at, err);
	return code;
}

/* `*ret_own`: the image is of a platform of its own. */
static int find_image(const struct xb_plan_base *base, const struct xb_image **ret, bool *ret_own,
		      struct xb_error *err)
{
	const struct xb_plan_sources *sources = &base->planner->request->sources;
	xb_auto_error struct xb_error fault = XB_ERROR_INIT;
	int r = sources->image(sources->context, base->name, &base->state->platform, false, ret,
			       &fault);

	*ret_own = false;
	if (r >= 0) {
		warn_fallback(base, *ret);
		return 0;
	}
	if (fault.fault == XB_FAULT_PLATFORM && may_mismatch(base) && find_other(base, ret) == 0) {
		*ret_own = true;
		return 0;
	}
	if (err != NULL)
		xb_error_move(err, &fault);
	return no_image(base, r, err);
}

int xb_plan_base_step(const struct xb_plan_base *base, struct xb_step *ret, struct xb_error *err)
{
	struct xb_plan *plan = base->planner->plan;
	struct xb_platform platform = base->state->platform;
	const struct xb_image *image = NULL;
	bool own;
	int r = find_image(base, &image, &own, err);

	if (r < 0)
		return r;
	if (own) {
		platform = image->config.platform;
		xb_platform_normalise(&platform);
	}
	*ret = (struct xb_step){
		.kind = XB_STEP_BASE,
		.parent = XB_STEP_NONE,
		.platform = platform,
		.strategy = XB_STRATEGY_NATIVE,
		.reason = "the builder's own work",
		.stage = base->state->label,
		.title = xb_arena_format(plan->arena, "[%s %s] FROM %s",
					 xb_platform_name(&platform).text, base->state->label,
					 xb_stage_line(plan, base->name)),
		.file = base->file,
		.instruction = base->instruction,
		.base = { .name = xb_arena_dup(plan->arena, xb_view(base->name)), .image = image },
	};
	return 0;
}
