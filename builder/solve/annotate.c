/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/annotate.h"

#include <errno.h>
#include <string.h>

static const char *const levels[] = {
	[XB_ANNOTATE_MANIFEST] = "manifest",
	[XB_ANNOTATE_MANIFEST_DESCRIPTOR] = "manifest-descriptor",
	[XB_ANNOTATE_INDEX] = "index",
	[XB_ANNOTATE_INDEX_DESCRIPTOR] = "index-descriptor",
};

void xb_annotate_clear(struct xb_annotate *annotate)
{
	for (size_t i = 0; i < annotate->len; i++) {
		free(annotate->items[i].name);
		free(annotate->items[i].value);
	}
	xb_array_clear(annotate);
}

static int read_level(struct xb_view name, enum xb_annotate_level *ret)
{
	for (size_t i = 0; i < XB_COUNT(levels); i++) {
		if (!xb_view_is(name, levels[i]))
			continue;
		*ret = (enum xb_annotate_level)i;
		return 0;
	}
	return -EINVAL;
}

/* Read "TYPE" or "TYPE[PLATFORM]". */
static int read_type(struct xb_view type, struct xb_annotate_rule *rule, struct xb_error *err)
{
	ptrdiff_t bracket = xb_view_find(type, '[');
	size_t end = bracket < 0 ? type.len : (size_t)bracket;
	int r;

	if (read_level(xb_view_sub(type, 0, end), &rule->level) < 0)
		return xb_error_usage(err,
				      "the types are manifest, manifest-descriptor, index and "
				      "index-descriptor",
				      "unknown type \"%.*s\"",
				      XB_VIEW_ARGS(xb_view_sub(type, 0, end)));
	if (bracket < 0)
		return 0;
	if (!xb_view_ends(type, XB_VIEW("]")))
		return xb_error_usage(err, "write TYPE[PLATFORM]:NAME=VALUE", "\"%.*s\" has no ]",
				      XB_VIEW_ARGS(type));
	rule->has_platform = true;
	r = xb_platform_parse(xb_view_sub(type, end + 1, type.len - end - 2), NULL, &rule->platform,
			      err);
	if (r < 0)
		return xb_error_fault(err, XB_FAULT_USAGE);
	return 0;
}

static void add(struct xb_annotate *annotate, const struct xb_annotate_rule *rule,
		struct xb_view name, struct xb_view value)
{
	struct xb_annotate_rule *added = xb_array_push(annotate);

	*added = *rule;
	added->name = xb_view_dup(name);
	added->value = xb_view_dup(value);
}

static int parse(const char *text, struct xb_annotate *annotate, struct xb_error *err)
{
	struct xb_view value = xb_view(text), name, types, type;
	struct xb_annotate_rule rule = { .level = XB_ANNOTATE_MANIFEST };
	ptrdiff_t colon;
	int r = 0;

	(void)xb_view_split(&value, '=', &name);
	if (value.data == NULL)
		return xb_error_usage(err, "write NAME=VALUE", "no value");
	colon = xb_view_find(name, ':');
	types = xb_view_sub(name, 0, colon < 0 ? 0 : (size_t)colon);
	name = xb_view_sub(name, (size_t)(colon + 1), name.len);
	if (name.len == 0)
		return xb_error_usage(err, "write NAME=VALUE", "no name");
	if (colon < 0) {
		add(annotate, &rule, name, value);
		return 0;
	}
	while (r == 0 && xb_view_split(&types, ',', &type)) {
		rule = (struct xb_annotate_rule){ 0 };
		r = read_type(type, &rule, err);
		if (r == 0)
			add(annotate, &rule, name, value);
	}
	return r;
}

int xb_annotate_parse(const char *text, struct xb_annotate *annotate, struct xb_error *err)
{
	int r = *text != '\0' ? parse(text, annotate, err) : 0;

	return r < 0 ? xb_error_wrap(err, r, "--annotation %s", text) : 0;
}

/* What stands between "annotation" and the dot: "", "-TYPE", "[PLATFORM]" or "-TYPE[PLATFORM]". */
static int read_key_type(struct xb_view text, struct xb_annotate_rule *rule)
{
	xb_autofree char *type = NULL;

	if (text.len == 0)
		return 0;
	if (text.data[0] == '-')
		return read_type(xb_view_sub(text, 1, text.len), rule, NULL);
	type = xb_format("%s%.*s", levels[XB_ANNOTATE_MANIFEST], XB_VIEW_ARGS(text));
	return text.data[0] == '[' ? read_type(xb_view(type), rule, NULL) : -ENOENT;
}

int xb_annotate_parse_key(struct xb_view key, struct xb_view value, struct xb_annotate *annotate)
{
	struct xb_view name = xb_view_sub(key, strlen("annotation"), key.len), type;
	struct xb_annotate_rule rule = { .level = XB_ANNOTATE_MANIFEST };
	int r;

	if (!xb_view_starts(key, XB_VIEW("annotation")))
		return -ENOENT;
	(void)xb_view_split(&name, '.', &type);
	r = read_key_type(type, &rule);
	if (r == 0 && name.len == 0)
		r = -EINVAL;
	if (r == 0)
		add(annotate, &rule, name, value);
	return r;
}

void xb_annotate_append(struct xb_annotate *annotate, const struct xb_annotate *more)
{
	for (size_t i = 0; i < more->len; i++)
		add(annotate, &more->items[i], xb_view(more->items[i].name),
		    xb_view(more->items[i].value));
}

static bool is_of_index(enum xb_annotate_level level)
{
	return level == XB_ANNOTATE_INDEX || level == XB_ANNOTATE_INDEX_DESCRIPTOR;
}

static bool is_built(const struct xb_annotate_rule *rule, const struct xb_platform *platforms,
		     size_t count)
{
	bool built = !rule->has_platform;

	for (size_t i = 0; i < count; i++)
		built = built || xb_platform_eq(&platforms[i], &rule->platform);
	return built;
}

int xb_annotate_check(const struct xb_annotate *annotate, const struct xb_platform *platforms,
		      size_t count, bool index, struct xb_error *err)
{
	for (size_t i = 0; i < annotate->len; i++) {
		const struct xb_annotate_rule *rule = &annotate->items[i];

		if (is_of_index(rule->level) && !index)
			return xb_error_usage(
				err,
				"annotate the manifest, build for several platforms, or give "
				"--build-arg BUILDKIT_MULTI_PLATFORM=1",
				"the annotation %s:%s: one image without an index is built",
				levels[rule->level], rule->name);
		if (!is_built(rule, platforms, count))
			return xb_error_usage(
				err, "name a platform of the result",
				"the annotation %s[%s]:%s: there is no image for this platform",
				levels[rule->level], xb_platform_name(&rule->platform).text,
				rule->name);
	}
	return 0;
}

void xb_annotate_get(const struct xb_annotate *annotate, enum xb_annotate_level level,
		     const struct xb_platform *platform, struct xb_annotations *ret)
{
	for (int own = 0; own < 2; own++) {
		for (size_t i = 0; i < annotate->len; i++) {
			const struct xb_annotate_rule *rule = &annotate->items[i];
			bool holds =
				!rule->has_platform || is_of_index(level) ||
				(platform != NULL && xb_platform_eq(&rule->platform, platform));

			if (rule->level == level && holds && rule->has_platform == (own == 1))
				xb_annotations_set(ret, rule->name, rule->value);
		}
	}
}
