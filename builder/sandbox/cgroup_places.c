/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/sandbox/cgroup_places.h"

#include <stdlib.h>
#include <string.h>

/* A line of mountinfo: the fields before and behind the dash; see proc_pid_mountinfo(5). */
enum { FIELD_ROOT = 3, FIELD_POINT = 4, FIELDS_BEFORE = 5 };
enum { FIELD_TYPE, FIELD_SOURCE, FIELD_OPTIONS, FIELDS_BEHIND };

struct mount_line {
	struct xb_view before[FIELDS_BEFORE];
	struct xb_view behind[FIELDS_BEHIND];
};

void xb_cgroup_mount_clear(struct xb_cgroup_mount *mount)
{
	free(mount->path);
	free(mount->own);
	*mount = (struct xb_cgroup_mount){ 0 };
}

static bool read_fields(struct xb_view *rest, struct xb_view *fields, size_t count)
{
	size_t i = 0;

	while (i < count && xb_view_split(rest, ' ', &fields[i]))
		i++;
	return i == count;
}

static bool read_line(struct xb_view line, struct mount_line *ret)
{
	struct xb_view field = { NULL, 0 };

	if (!read_fields(&line, ret->before, FIELDS_BEFORE))
		return false;
	while (!xb_view_is(field, "-")) {
		if (!xb_view_split(&line, ' ', &field))
			return false;
	}
	return read_fields(&line, ret->behind, FIELDS_BEHIND);
}

static bool has_word(struct xb_view words, char separator, const char *word)
{
	struct xb_view one;

	while (xb_view_split(&words, separator, &one)) {
		if (xb_view_is(xb_view_trim(one), word))
			return true;
	}
	return false;
}

bool xb_cgroup_has_word(struct xb_view words, const char *word)
{
	return has_word(words, ' ', word);
}

/* This process's group in a hierarchy, as /proc/self/cgroup has it: "N:controllers:path". */
static struct xb_view own_path(struct xb_view lines, const char *controller)
{
	struct xb_view line, number, names;

	while (xb_view_split(&lines, '\n', &line)) {
		if (!xb_view_split(&line, ':', &number) || !xb_view_split(&line, ':', &names))
			continue;
		if (controller != NULL ? has_word(names, ',', controller)
				       : xb_view_is(number, "0") && names.len == 0)
			return line;
	}
	return XB_VIEW("/");
}

/* The mount shows the hierarchy from `root` down; a group outside of that is not to be seen. */
static char *visible_path(struct xb_view root, struct xb_view point, struct xb_view own)
{
	if (xb_view_is(root, "/"))
		root.len = 0;
	if (!xb_view_starts(own, root) || xb_view_starts(own, XB_VIEW("/..")))
		return xb_view_dup(point);
	own = xb_view_sub(own, root.len, own.len);
	if (own.len <= 1 || own.data[0] != '/')
		return xb_view_dup(point);
	return xb_format("%.*s%.*s", XB_VIEW_ARGS(point), XB_VIEW_ARGS(own));
}

static bool is_wanted(const struct mount_line *line, const char *controller)
{
	if (controller == NULL)
		return xb_view_is(line->behind[FIELD_TYPE], "cgroup2");
	return xb_view_is(line->behind[FIELD_TYPE], "cgroup") &&
	       has_word(line->behind[FIELD_OPTIONS], ',', controller);
}

/* The last one counts: what is mounted above another hides it. */
static bool find(const struct xb_cgroup_places *places, const char *controller,
		 struct xb_cgroup_mount *ret)
{
	struct xb_view rest = places->mounts, text;
	struct xb_view own = own_path(places->own, controller);
	struct mount_line line;

	while (xb_view_split(&rest, '\n', &text)) {
		if (!read_line(text, &line) || !is_wanted(&line, controller))
			continue;
		xb_cgroup_mount_clear(ret);
		ret->v2 = controller == NULL;
		ret->path = xb_view_dup(line.before[FIELD_POINT]);
		ret->own = visible_path(line.before[FIELD_ROOT], line.before[FIELD_POINT], own);
	}
	return ret->path != NULL;
}

bool xb_cgroup_find_v1(const struct xb_cgroup_places *places, const char *controller,
		       struct xb_cgroup_mount *ret)
{
	*ret = (struct xb_cgroup_mount){ 0 };
	return find(places, controller, ret);
}

bool xb_cgroup_find_v2(const struct xb_cgroup_places *places, struct xb_cgroup_mount *ret)
{
	*ret = (struct xb_cgroup_mount){ 0 };
	return find(places, NULL, ret);
}
