/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/warn.h"

#include <string.h>

/* Arguments that mean something to the builder, declared or not. */
static bool is_builders_own(struct xb_view name)
{
	static const char *const names[] = {
		"SOURCE_DATE_EPOCH",
		"BUILDKIT_BUILD_NAME",
		"BUILDKIT_CACHE_MOUNT_NS",
		"BUILDKIT_CONTEXT_KEEP_GIT_DIR",
		"BUILDKIT_DOCKERFILE_CHECK",
		"BUILDKIT_INLINE_CACHE",
		"BUILDKIT_MULTI_PLATFORM",
		"BUILDKIT_SANDBOX_HOSTNAME",
		"BUILDKIT_SYNTAX",
		"BUILDKIT_SBOM_SCAN_CONTEXT",
		"BUILDKIT_SBOM_SCAN_STAGE",
		/* in the global scope without an ARG */
		"BUILDPLATFORM",
		"BUILDOS",
		"BUILDOSVERSION",
		"BUILDARCH",
		"BUILDVARIANT",
		"TARGETPLATFORM",
		"TARGETOS",
		"TARGETOSVERSION",
		"TARGETARCH",
		"TARGETVARIANT",
		"TARGETSTAGE",
	};

	for (size_t i = 0; i < XB_COUNT(names); i++) {
		if (xb_view_is(name, names[i]))
			return true;
	}
	return false;
}

/* A stage that is not there is a misspelling, too. */
void xb_plan_warn_stages(struct xb_planner *planner, const struct xb_stage_names *stages)
{
	const struct xb_strv *names = planner->request->fresh_stages;

	for (size_t i = 0; names != NULL && i < names->len; i++) {
		if (xb_stage_names_find(stages, names->items[i], stages->file->stage_count) ==
		    XB_STAGE_NONE)
			xb_strv_printf(&planner->plan->warnings,
				       "--no-cache-filter %s: there is no stage of that name",
				       names->items[i]);
	}
}

/* A --build-arg that nothing asked for is a misspelling more often than not. */
void xb_plan_warn_arguments(struct xb_planner *planner)
{
	const struct xb_strv *args = planner->request->build_args;
	struct xb_strv *warnings = &planner->plan->warnings;

	for (size_t i = 0; i < args->len; i++) {
		struct xb_view rest = xb_view(args->items[i]);
		struct xb_view name;
		bool special;

		(void)xb_view_split(&rest, '=', &name);
		special = is_builders_own(name);
		for (const char *const *n = xb_scope_proxy_names; *n != NULL; n++)
			special = special || xb_view_is(name, *n);
		if (!special && xb_map_get(planner->consumed, name) == NULL)
			xb_strv_printf(warnings, "the build argument %.*s is not used by any ARG",
				       XB_VIEW_ARGS(name));
	}
}
