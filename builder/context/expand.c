/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/names.h"
#include "builder/context/context.h"
#include "builder/context/locate.h"
#include "builder/context/walk.h"
#include "builder/dockerfile/glob.h"

/* One match: as the user would write it, and without links, as the ignore rules are written. */
struct match {
	char *named;
	char *real;
};

struct matches XB_ARRAY(struct match);

static void matches_clear(struct matches *m)
{
	for (size_t i = 0; i < m->len; i++) {
		free(m->items[i].named);
		free(m->items[i].real);
	}
	xb_array_clear(m);
}

static char *join(const char *dir, const char *name)
{
	return strcmp(dir, ".") == 0 ? xb_strdup(name) : xb_format("%s/%s", dir, name);
}

static int stop(void *visitor, const struct xb_walk_entry *entry, struct xb_error *err)
{
	(void)visitor;
	(void)entry;
	(void)err;
	return 1;
}

/* Whether something at or below a found object is taken: an ignored directory may hold nothing. */
static int is_there(const struct xb_context *context, const struct xb_located *at,
		    struct xb_error *err)
{
	const char *path = xb_str_text(&at->path);
	const struct xb_walk walk = {
		.context = context, .path = path, .names_only = true, .visit = stop
	};

	if (!S_ISDIR(at->st.st_mode) || xb_context_filter(context, path, true) == XB_CONTEXT_TAKE)
		return 1;
	return xb_walk_run(&walk, at->parent, at->name, err);
}

static int expand_name(int rootfd, const struct xb_context *context, const char *path,
		       struct xb_strv *ret, struct xb_error *err)
{
	xb_auto_located struct xb_located found = XB_LOCATED_INIT;
	int r = xb_locate(rootfd, context, path, true, &found, err);

	if (r >= 0)
		r = is_there(context, &found, err);
	if (r > 0)
		xb_strv_push(ret, path);
	return r;
}

/* Add the entries of a directory without links in its path that match one name of the pattern. */
static int match_in(int rootfd, const struct xb_context *context, const struct match *dir,
		    const char *pattern, bool last, struct matches *ret, struct xb_error *err)
{
	xb_auto_located struct xb_located at = XB_LOCATED_INIT;
	xb_auto_names struct xb_names names = { 0 };
	xb_auto_fd int fd = -1;
	int r = xb_locate(rootfd, context, dir->real, false, &at, err);

	if (r < 0)
		return r;
	fd = openat(at.parent, at.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 ? -errno : xb_names_of(fd, SIZE_MAX, &names);
	if (r == -ENOTDIR)
		return 0;
	if (r < 0)
		return xb_error_errno(err, r, "reading %s", dir->real);
	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		xb_autofree char *real = join(dir->real, names.items[i]);
		struct match *match;
		struct stat st;
		bool hit = false;

		r = xb_glob_match(pattern, names.items[i], &hit, err);
		if (r < 0 || !hit || fstatat(fd, names.items[i], &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    (!last && !S_ISDIR(st.st_mode)) ||
		    xb_context_filter(context, real, S_ISDIR(st.st_mode)) == XB_CONTEXT_SKIP)
			continue;
		match = xb_array_push(ret);
		match->named = join(dir->named, names.items[i]);
		match->real = XB_STEAL(real);
	}
	return r;
}

static int match_level(int rootfd, const struct xb_context *context, struct matches *level,
		       const char *pattern, bool last, struct xb_error *err)
{
	XB_CLEANUP(matches_clear) struct matches next = { 0 };
	struct matches old;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < level->len; i++)
		r = match_in(rootfd, context, &level->items[i], pattern, last, &next, err);
	old = *level;
	*level = next;
	next = old;
	return r;
}

/* Cut the names without wildcards off the front of the pattern; "." when there are none. */
static char *cut_plain(struct xb_view *rest)
{
	xb_auto_str struct xb_str plain = XB_STR_INIT(XB_STR_OWN);
	struct xb_view ahead = *rest;
	struct xb_view name;

	while (xb_view_split(&ahead, '/', &name)) {
		xb_autofree char *text = xb_view_dup(name);

		if (xb_glob_has_wildcard(text))
			break;
		if (plain.len > 0)
			xb_str_putc(&plain, '/');
		xb_glob_unescape(text, &plain);
		*rest = ahead;
	}
	return plain.len > 0 ? xb_str_steal(&plain) : xb_strdup(".");
}

static int keep_matches(int rootfd, const struct xb_context *context, const struct matches *found,
			struct xb_strv *ret, struct xb_error *err)
{
	xb_auto_strv struct xb_strv paths = XB_STRV_INIT;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < found->len; i++) {
		xb_auto_located struct xb_located at = XB_LOCATED_INIT;

		r = xb_locate(rootfd, context, found->items[i].real, false, &at, err);
		if (r >= 0)
			r = is_there(context, &at, err);
		if (r > 0)
			xb_strv_push(&paths, found->items[i].named);
	}
	if (r < 0)
		return r;
	xb_strv_sort(&paths);
	xb_strv_append(ret, &paths);
	return paths.len > 0;
}

/* Returns 1 when something matched, else 0. */
static int expand_pattern(int rootfd, const struct xb_context *context, const char *pattern,
			  struct xb_strv *ret, struct xb_error *err)
{
	XB_CLEANUP(matches_clear) struct matches level = { 0 };
	xb_auto_located struct xb_located at = XB_LOCATED_INIT;
	struct xb_view rest = xb_view(pattern);
	struct xb_view name;
	struct match *first = xb_array_push(&level);
	int r;

	first->named = cut_plain(&rest);
	r = xb_locate(rootfd, context, first->named, true, &at, err);
	if (r < 0)
		return r;
	first->real = xb_strdup(xb_str_text(&at.path));
	while (r >= 0 && xb_view_split(&rest, '/', &name)) {
		xb_autofree char *text = xb_view_dup(name);

		r = match_level(rootfd, context, &level, text, rest.data == NULL, err);
	}
	return r < 0 ? r : keep_matches(rootfd, context, &level, ret, err);
}

static int expand(int rootfd, const struct xb_context *context, const char *pattern,
		  struct xb_strv *ret, struct xb_error *err)
{
	xb_autofree char *clean = xb_path_clean(pattern);
	xb_auto_str struct xb_str plain = XB_STR_INIT(XB_STR_OWN);

	if (xb_glob_has_wildcard(clean))
		return expand_pattern(rootfd, context, clean, ret, err);
	xb_glob_unescape(clean, &plain);
	return expand_name(rootfd, context, xb_str_text(&plain), ret, err);
}

static int no_match(int rootfd, const struct xb_context *context, const char *pattern,
		    struct xb_error *err)
{
	xb_auto_strv struct xb_strv without_rules = XB_STRV_INIT;

	(void)xb_error_set(err, -ENOENT, "%s: no such file in the %s", pattern,
			   context != NULL ? "build context" : "source");
	(void)xb_error_fault(err, XB_FAULT_SOURCE);
	if (context != NULL && expand(rootfd, NULL, pattern, &without_rules, NULL) > 0)
		(void)xb_error_hint(err, "a rule of the .dockerignore file excludes %s",
				    without_rules.items[0]);
	return -ENOENT;
}

int xb_context_expand(int rootfd, const struct xb_context *context, const char *pattern,
		      struct xb_strv *ret, struct xb_error *err)
{
	xb_auto_error struct xb_error inner = XB_ERROR_INIT;
	int r = expand(rootfd, context, pattern, ret, &inner);

	if (r == -ENOENT || (r == 0 && !xb_glob_has_wildcard(pattern)))
		return no_match(rootfd, context, pattern, err);
	if (r < 0) {
		(void)xb_error_fault(&inner, XB_FAULT_SOURCE);
		if (err != NULL)
			xb_error_move(err, &inner);
		return r;
	}
	return 0;
}
