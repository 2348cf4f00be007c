/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/fetch.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/url.h"

/* What a file is called whose URL has no path, as BuildKit has it. */
#define UNNAMED "__unnamed__"

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo %XX. Returns false for a '%' that nothing sensible follows. */
static bool decode(struct xb_view text, struct xb_str *ret)
{
	for (size_t i = 0; i < text.len; i++) {
		int high, low;

		if (text.data[i] != '%') {
			(void)xb_str_putc(ret, text.data[i]);
			continue;
		}
		high = i + 2 < text.len ? hex_value(text.data[i + 1]) : -1;
		low = high >= 0 ? hex_value(text.data[i + 2]) : -1;
		if (low < 0 || high * 16 + low == 0)
			return false;
		(void)xb_str_putc(ret, (char)(high * 16 + low));
		i += 2;
	}
	return true;
}

char *xb_fetch_file_name(const char *url)
{
	const char *scheme = strstr(url, "://");
	const char *host = scheme != NULL ? scheme + strlen("://") : url;
	size_t start = strcspn(host, "/?#");
	struct xb_view path = { host + start, strcspn(host + start, "?#") };
	xb_auto_str struct xb_str decoded = XB_STR_INIT(XB_STR_OWN);
	struct xb_view name;
	size_t from;

	if (!decode(path, &decoded))
		return xb_strdup(UNNAMED);
	name = xb_str_view(&decoded);
	while (name.len > 0 && name.data[name.len - 1] == '/')
		name.len--;
	from = name.len;
	while (from > 0 && name.data[from - 1] != '/')
		from--;
	name = xb_view_sub(name, from, name.len);
	if (name.len == 0 || name.len > NAME_MAX || xb_view_is(name, ".") || xb_view_is(name, ".."))
		return xb_strdup(UNNAMED);
	return xb_view_dup(name);
}

static bool is_hex(struct xb_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (hex_value(text.data[i]) < 0 || (text.data[i] >= 'A' && text.data[i] <= 'F'))
			return false;
	}
	return text.len > 0;
}

static bool is_digest(struct xb_view text)
{
	static const struct {
		const char *algorithm;
		size_t digits;
	} algorithms[] = { { "sha256", 64 }, { "sha384", 96 }, { "sha512", 128 } };
	struct xb_view algorithm;

	(void)xb_view_split(&text, ':', &algorithm);
	for (size_t i = 0; i < XB_COUNT(algorithms); i++) {
		if (xb_view_is(algorithm, algorithms[i].algorithm))
			return text.len == algorithms[i].digits && is_hex(text);
	}
	return false;
}

int xb_fetch_check_checksum(enum xb_source_form form, const char *checksum, struct xb_error *err)
{
	struct xb_view text = xb_view(checksum);
	bool git = form == XB_FORM_GIT;

	if (git ? is_hex(text) && text.len <= 64 : is_digest(text))
		return 0;
	(void)xb_error_set(err, -EINVAL, "\"%s\" is not %s", checksum,
			   git ? "the id of a commit, or its beginning" : "a digest");
	(void)xb_error_hint(err, git ? "write hexadecimal digits in lower case"
				     : "write sha256: and 64 hexadecimal digits");
	return xb_error_fault(err, XB_FAULT_SOURCE);
}

struct xb_step_fetch xb_fetch_describe(struct xb_plan *plan, const char *url, bool git,
				       const char *name, const char *checksum)
{
	xb_auto_str struct xb_str shown = XB_STR_INIT(XB_STR_OWN);
	struct xb_arena *arena = plan->arena;

	xb_url_append_shown(&shown, url);
	return (struct xb_step_fetch){
		.url = xb_arena_dup(arena, xb_view(url)),
		.shown = xb_arena_dup(arena, xb_str_view(&shown)),
		.git = git,
		.name = !git ? xb_arena_dup(arena, xb_view(name)) : NULL,
		.checksum = checksum != NULL ? xb_arena_dup(arena, xb_view(checksum)) : NULL,
	};
}

size_t xb_fetch_add_step(struct xb_planner *planner, const struct xb_stage_state *state,
			 const struct xb_dockerfile *file, const struct xb_instruction *instruction,
			 const struct xb_step_fetch *fetch)
{
	struct xb_plan *plan = planner->plan;
	struct xb_step step = {
		.kind = XB_STEP_FETCH,
		.parent = XB_STEP_NONE,
		/* what it is for does not matter: every platform gets the same */
		.platform = plan->build_platform,
		.strategy = XB_STRATEGY_NATIVE,
		.reason = "the builder's own work",
		.stage = state->label,
		.title = xb_arena_format(plan->arena, "[%s %s] fetch %s",
					 xb_platform_name(&plan->build_platform).text, state->label,
					 xb_stage_line(plan, fetch->shown)),
		.file = file,
		.instruction = instruction,
		.fetch = *fetch,
	};

	return xb_steps_add(&planner->steps, &step);
}

char *xb_named_for(const struct xb_plan_sources *sources, const char *name,
		   const struct xb_platform *platform)
{
	xb_autofree char *own = xb_format("%s::%s", name, xb_platform_name(platform).text);

	if (sources->kind(sources->context, own) == XB_SOURCE_IMAGE)
		return xb_strdup(name);
	return XB_STEAL(own);
}

int xb_fetch_describe_named(struct xb_planner *planner, const char *name, struct xb_step_fetch *ret,
			    struct xb_error *err)
{
	const struct xb_plan_sources *sources = &planner->request->sources;
	const char *url = sources->url(sources->context, name);
	enum xb_source_form form = XB_FORM_PATH;
	int r = xb_source_context_form(url, &form, err);

	if (r < 0)
		return xb_error_wrap(err, r, "--build-context %s", name);
	*ret = xb_fetch_describe(planner->plan, url, form == XB_FORM_GIT, XB_FETCH_CONTEXT, NULL);
	return 0;
}

static enum xb_source_kind kind_of(const struct xb_planner *planner, const char *name)
{
	const struct xb_plan_sources *sources = &planner->request->sources;

	return sources->kind(sources->context, name);
}

bool xb_named_is_files(const struct xb_planner *planner, const char *name)
{
	enum xb_source_kind kind = kind_of(planner, name);

	return kind == XB_SOURCE_DIRECTORY || kind == XB_SOURCE_REMOTE;
}

int xb_named_files(struct xb_planner *planner, const struct xb_stage_state *state,
		   const struct xb_dockerfile *file, const struct xb_instruction *instruction,
		   const char *name, struct xb_copy_source *ret, struct xb_error *err)
{
	struct xb_step_fetch fetch;
	int r;

	*ret = (struct xb_copy_source){ XB_COPY_STEP, XB_STEP_NONE, NULL };
	if (kind_of(planner, name) == XB_SOURCE_DIRECTORY) {
		ret->origin = XB_COPY_NAMED;
		ret->name = xb_arena_dup(planner->plan->arena, xb_view(name));
		return 0;
	}
	r = xb_fetch_describe_named(planner, name, &fetch, err);
	if (r == 0)
		ret->step = xb_fetch_add_step(planner, state, file, instruction, &fetch);
	return r;
}
