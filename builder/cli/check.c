/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/check.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "builder/cli/report.h"
#include "builder/dockerfile/location.h"
#include "builder/plan/fetch.h"
#include "builder/plan/scope.h"
#include "manifest/reference.h"

void xb_check_clear(struct xb_check *check)
{
	xb_strv_clear(&check->unknown);
	xb_lint_clear(&check->lint);
	xb_error_clear(&check->fault);
}

/* ---- what is known of the world ----------------------------------------------------------- */

static bool is_name(const char *name)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;

	return xb_reference_parse(xb_view(name), &ref, NULL) == 0;
}

/* For the platform that is checked, which is the first. */
static bool is_given(void *context, const char *name)
{
	const struct xb_build_request *request = context;
	struct xb_plan_sources sources = xb_sources_for_plan(request->sources);
	xb_autofree char *found = xb_named_for(&sources, name, &request->platforms.items[0]);

	return sources.kind(sources.context, found) != XB_SOURCE_IMAGE;
}

static bool find_image(void *context, const char *name, const struct xb_platform *platform,
		       struct xb_lint_image *ret)
{
	const struct xb_build_request *request = context;
	struct xb_plan_sources sources = xb_sources_for_plan(request->sources);
	xb_autofree char *found = xb_named_for(&sources, name, platform);
	enum xb_source_kind kind = sources.kind(sources.context, found);
	const struct xb_image *image = NULL;

	if ((kind != XB_SOURCE_IMAGE && kind != XB_SOURCE_NAMED) ||
	    sources.image(sources.context, found, platform, true, &image, NULL) < 0)
		return false;
	*ret = (struct xb_lint_image){ .env = &image->config.env,
				       .on_build = &image->config.on_build,
				       .platform = &image->config.platform,
				       .shell = image->config.shell.len > 0 };
	return true;
}

static struct xb_lint_world world_of(const struct xb_build_request *request)
{
	/* they only read it */
	struct xb_lint_world world = { .context = (void *)(uintptr_t)request, .is_name = is_name };

	if (request->sources == NULL)
		return world;
	world.is_given = is_given;
	world.image = find_image;
	return world;
}

/* ---- the check ---------------------------------------------------------------------------- */

/* A build argument stands in for what the file says. */
static int read_options(const struct xb_build_request *request, struct xb_check *check,
			struct xb_error *err)
{
	const char *given =
		xb_env_get(&request->options.build_args, XB_VIEW("BUILDKIT_DOCKERFILE_CHECK"));
	const char *written = request->dockerfile->directives.check;
	struct xb_view text = xb_view(given != NULL ? given : written);
	int r;

	if (given == NULL && xb_view_find(text, ' ') >= 0)
		text.len = (size_t)xb_view_find(text, ' ');
	r = xb_rule_set_parse(text, &check->rules, &check->unknown, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s",
				     given != NULL ? "--build-arg BUILDKIT_DOCKERFILE_CHECK"
						   : request->dockerfile->path);
	return 0;
}

int xb_check_run(const struct xb_build_request *request, bool all_stages, struct xb_check *ret,
		 struct xb_outline *outline, struct xb_error *err)
{
	xb_auto_vars struct xb_vars automatic = { 0 };
	xb_auto_vars struct xb_vars build_args = { 0 };
	const struct xb_platform *platform = &request->platforms.items[0];
	struct xb_lint_request what = {
		.dockerfile = request->dockerfile,
		.automatic = &automatic.items,
		.build_args = &request->options.build_args,
		.platform = *platform,
		.target = request->options.target,
		.all_stages = all_stages && request->options.target == NULL,
		.ignore = request->context != NULL ? xb_context_ignore(request->context) : NULL,
		.world = world_of(request),
	};
	int r = read_options(request, ret, err);

	if (r < 0)
		return r;
	xb_vars_set_all(&build_args, &request->options.build_args);
	xb_scope_automatic(&automatic, &request->host, platform, request->options.target,
			   &build_args);
	what.rules = ret->rules;
	(void)xb_lint_outline(&what, &ret->lint, outline, &ret->fault);
	return 0;
}

int xb_check_verdict(const struct xb_check *check, struct xb_error *err)
{
	xb_auto_str struct xb_str names = XB_STR_INIT(XB_STR_OWN);
	uint64_t seen = 0;

	if (!check->rules.error || check->lint.findings.len == 0)
		return 0;
	for (size_t i = 0; i < check->lint.findings.len; i++) {
		enum xb_rule_id rule = check->lint.findings.items[i].rule;

		if ((seen & (UINT64_C(1) << rule)) == 0)
			(void)xb_str_printf(&names, "%s%s", seen != 0 ? ", " : "",
					    xb_rule(rule)->name);
		seen |= UINT64_C(1) << rule;
	}
	(void)xb_error_set(err, -EINVAL, "lint violation found for rules: %s", xb_str_text(&names));
	(void)xb_error_hint(err, "mend them, or drop error=true or skip rules in `# check=`");
	return xb_error_fault(err, XB_FAULT_SOURCE), -EINVAL;
}

/* ---- for people --------------------------------------------------------------------------- */

struct lines XB_ARRAY(struct xb_view);

static void lines_clear(struct lines *lines)
{
	xb_array_clear(lines);
}

/* All lines at once: findings may be as many as they are. */
static void split_lines(const struct xb_dockerfile *dockerfile, struct lines *ret)
{
	struct xb_view rest = dockerfile->text, line;

	while (xb_view_split(&rest, '\n', &line)) {
		if (xb_view_ends(line, XB_VIEW("\r")))
			line.len--;
		*xb_array_push(ret) = line;
	}
}

static void show_one(const struct xb_dockerfile *dockerfile, const struct lines *lines,
		     const struct xb_finding *finding, const char *prefix, FILE *out)
{
	const struct xb_rule *rule = xb_rule(finding->rule);
	xb_auto_str struct xb_str detail = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str excerpt = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_append_quoted(&detail, xb_view(finding->detail));
	(void)xb_str_append_quoted(&path, xb_view(dockerfile->path));
	(void)fprintf(out, "%s%s: %s (line %u)\n", prefix, rule->name, xb_str_text(&detail),
		      finding->first_line);
	(void)fprintf(out, "  %s:%u:%u\n", xb_str_text(&path), finding->at.line,
		      finding->at.column);
	if (finding->at.line > 0 && finding->at.line <= lines->len) {
		struct xb_view rest, line;

		xb_location_excerpt(lines->items[finding->at.line - 1], finding->at, &excerpt);
		rest = xb_str_view(&excerpt);
		while (xb_view_split(&rest, '\n', &line))
			(void)fprintf(out, "  %.*s\n", XB_VIEW_ARGS(line));
	}
	if (rule->url != NULL)
		(void)fprintf(out, "  %s\n", rule->url);
}

void xb_check_show(const struct xb_dockerfile *dockerfile, const struct xb_findings *findings,
		   const char *prefix, FILE *out)
{
	XB_CLEANUP(lines_clear) struct lines lines = { 0 };

	if (findings->len > 0)
		split_lines(dockerfile, &lines);
	for (size_t i = 0; i < findings->len; i++)
		show_one(dockerfile, &lines, &findings->items[i], prefix, out);
}

/* ---- warnings of a build ------------------------------------------------------------------ */

static void print_event(json_t *event)
{
	xb_auto_str struct xb_str line = XB_STR_INIT(XB_STR_OWN);

	if (xb_json_write(event, &line, NULL) == 0)
		(void)fprintf(stderr, "%s\n", xb_str_text(&line));
}

static void finding_event(const struct xb_dockerfile *dockerfile, const struct xb_finding *finding)
{
	const struct xb_rule *rule = xb_rule(finding->rule);
	xb_auto_json json_t *event = json_object();

	xb_json_set_string(event, "event", "warning");
	xb_json_set_string(event, "rule", rule->name);
	xb_json_set_string(event, "text", finding->detail);
	xb_json_set_string(event, "description", rule->description);
	xb_json_set_string(event, "url", rule->url);
	xb_json_set_string(event, "file", dockerfile->path);
	xb_json_set_u64(event, "line", finding->at.line);
	xb_json_set_u64(event, "column", finding->at.column);
	print_event(event);
}

static void text_warning(const char *text, enum xb_progress_mode mode)
{
	xb_auto_json json_t *event = NULL;

	if (mode != XB_PROGRESS_RAWJSON) {
		xb_report_warning(text);
		return;
	}
	event = json_object();
	xb_json_set_string(event, "event", "warning");
	xb_json_set_string(event, "text", text);
	print_event(event);
}

static void report_findings(const struct xb_build_request *request, const struct xb_check *check,
			    enum xb_progress_mode mode)
{
	const struct xb_findings *findings = &check->lint.findings;

	if (mode == XB_PROGRESS_QUIET)
		return;
	if (mode != XB_PROGRESS_RAWJSON) {
		xb_check_show(request->dockerfile, findings, "xbuild: warning: ", stderr);
		return;
	}
	for (size_t i = 0; i < findings->len; i++)
		finding_event(request->dockerfile, &findings->items[i]);
}

void xb_check_report(const struct xb_build_request *request, const struct xb_check *check,
		     enum xb_progress_mode mode)
{
	report_findings(request, check, mode);
	for (size_t i = 0; mode != XB_PROGRESS_QUIET && i < check->unknown.len; i++) {
		xb_autofree char *text =
			xb_format("the check options name %s, which is no rule of this version",
				  check->unknown.items[i]);

		text_warning(text, mode);
	}
	for (size_t i = 0; request->plan != NULL && i < request->plan->warnings.len; i++)
		text_warning(request->plan->warnings.items[i], mode);
}
