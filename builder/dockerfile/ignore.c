/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/ignore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/text.h"
#include "builder/dockerfile/wildcard.h"

struct pattern {
	bool exclusion; /* written with "!" */
	bool all;	/* matches every name of the context's root */
	struct xb_wild wild;
};

struct patterns XB_ARRAY(struct pattern);

struct xb_ignore {
	struct patterns patterns;
};

void xb_ignore_free(struct xb_ignore *ignore)
{
	if (ignore == NULL)
		return;
	for (size_t i = 0; i < ignore->patterns.len; i++)
		xb_wild_clear(&ignore->patterns.items[i].wild);
	xb_array_clear(&ignore->patterns);
	free(ignore);
}

/* Reading. */

static struct xb_view trim(struct xb_view text)
{
	size_t from = 0, to = text.len;

	xb_text_trim(text, &from, &to);
	return xb_view_sub(text, from, to - from);
}

/* Take the last component of a path of `out` away; false when there is none that ".." could undo.
 */
static bool pop(struct xb_str *out)
{
	size_t pos = out->len;

	while (pos > 0 && out->data[pos - 1] != '/')
		pos--;
	if (out->len == 0 || xb_view_is(xb_view_sub(xb_str_view(out), pos, out->len), ".."))
		return false;
	xb_str_truncate(out, pos > 0 ? pos - 1 : 0);
	return true;
}

/*
 * The shortest path equal to `path` as text: no "//", "." and no ".." that can be resolved, and no
 * slash in front: a context's paths begin at its root anyway.
 */
void xb_ignore_clean(struct xb_view path, struct xb_str *out)
{
	bool rooted = path.len > 0 && path.data[0] == '/';
	struct xb_view rest = path, name;

	while (xb_view_split(&rest, '/', &name)) {
		if (name.len == 0 || xb_view_is(name, "."))
			continue;
		if (xb_view_is(name, "..") && (pop(out) || rooted))
			continue;
		if (out->len > 0)
			(void)xb_str_putc(out, '/');
		(void)xb_str_append_view(out, name);
	}
	if (rooted && out->len == 0)
		(void)xb_str_putc(out, '/');
	else if (out->len == 0)
		(void)xb_str_putc(out, '.');
}

/* One line's pattern into `out`; false when it holds none. */
static bool read_line(struct xb_view line, struct xb_str *out)
{
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_MAX_DOCKERFILE);

	xb_str_reset(out);
	if (line.len > 0 && line.data[0] == '#')
		return false;
	line = trim(line);
	if (line.len == 0)
		return false;
	if (line.data[0] == '!') {
		(void)xb_str_putc(out, '!');
		line = trim(xb_view_sub(line, 1, line.len));
	}
	if (line.len > 0)
		xb_ignore_clean(line, &path);
	(void)xb_str_append_view(out, xb_str_view(&path));
	return true;
}

static struct xb_view without_mark(struct xb_view text)
{
	if (xb_view_starts(text, XB_VIEW("\xEF\xBB\xBF")))
		return xb_view_sub(text, 3, text.len);
	return text;
}

void xb_ignore_read(struct xb_view text, struct xb_strv *ret_patterns)
{
	xb_auto_str struct xb_str pattern = XB_STR_INIT(XB_MAX_DOCKERFILE);
	struct xb_view rest = without_mark(text), line;

	while (xb_view_split(&rest, '\n', &line))
		if (read_line(line, &pattern))
			xb_strv_push_view(ret_patterns, xb_str_view(&pattern));
}

/* Making. */

static int add_pattern(struct xb_ignore *ignore, struct xb_view text, struct xb_error *err)
{
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_MAX_DOCKERFILE);
	struct pattern *pattern;

	text = trim(text);
	if (text.len == 0)
		return 0;
	if (xb_view_is(text, "!"))
		return xb_error_set(err, -EINVAL, "illegal exclusion pattern: \"!\"");
	pattern = xb_array_push(&ignore->patterns);
	*pattern = (struct pattern){ .exclusion = text.data[0] == '!' };
	xb_ignore_clean(xb_view_sub(text, pattern->exclusion ? 1 : 0, text.len), &path);
	pattern->all = xb_view_is(xb_str_view(&path), "*") ||
		       xb_view_is(xb_str_view(&path), "**") ||
		       xb_view_is(xb_str_view(&path), "**/*");
	return xb_wild_compile(xb_str_view(&path), true, &pattern->wild, err);
}

int xb_ignore_new(const struct xb_strv *patterns, struct xb_ignore **ret, struct xb_error *err)
{
	xb_auto_ignore struct xb_ignore *ignore = xb_calloc(1, sizeof(*ignore));

	for (size_t i = 0; i < patterns->len; i++) {
		int r = add_pattern(ignore, xb_view(patterns->items[i]), err);

		if (r < 0)
			return xb_error_fault(err, XB_FAULT_SOURCE), r;
	}
	*ret = XB_STEAL(ignore);
	return 0;
}

static int locate(struct xb_error *err, int r, const char *path, size_t number, struct xb_view line)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	(void)xb_error_wrap(err, r, "%s:%zu", path, number);
	(void)xb_error_fault(err, XB_FAULT_SOURCE);
	(void)xb_str_append_quoted(&text, xb_view_sub(line, 0, 100));
	(void)xb_error_excerpt(err, "%5zu | %s\n      | ^", number, xb_str_text(&text));
	return r;
}

int xb_ignore_parse(struct xb_view text, const char *path, struct xb_ignore **ret,
		    struct xb_error *err)
{
	xb_auto_ignore struct xb_ignore *ignore = xb_calloc(1, sizeof(*ignore));
	xb_auto_str struct xb_str pattern = XB_STR_INIT(XB_MAX_DOCKERFILE);
	struct xb_view rest = without_mark(text), line;

	if (text.len > XB_MAX_DOCKERFILE) {
		(void)xb_error_set(err, -EFBIG, "%s: larger than %zu bytes", path,
				   XB_MAX_DOCKERFILE);
		return xb_error_fault(err, XB_FAULT_SOURCE), -EFBIG;
	}
	for (size_t number = 1; xb_view_split(&rest, '\n', &line); number++) {
		int r;

		if (!read_line(line, &pattern))
			continue;
		r = add_pattern(ignore, xb_str_view(&pattern), err);
		if (r < 0)
			return locate(err, r, path, number, line);
	}
	*ret = XB_STEAL(ignore);
	return 0;
}

/* Asking. */

static struct xb_view without_slashes(struct xb_view path)
{
	while (path.len > 0 && path.data[path.len - 1] == '/')
		path.len--;
	while (path.len > 0 && path.data[0] == '/')
		path = xb_view_sub(path, 1, path.len);
	return path;
}

/* The last pattern that matches decides: its number, or the count when there is none. */
static size_t deciding(const struct xb_ignore *ignore, struct xb_view path)
{
	for (size_t i = ignore->patterns.len; i > 0; i--)
		if (xb_wild_match(&ignore->patterns.items[i - 1].wild, path,
				  XB_WILD_WHOLE | XB_WILD_PARENT) != 0)
			return i - 1;
	return ignore->patterns.len;
}

int xb_ignore_match(const struct xb_ignore *ignore, struct xb_view path, bool *ret_ignored,
		    struct xb_error *err)
{
	size_t number;

	path = without_slashes(path);
	if (path.len > XB_MAX_PATTERN) {
		(void)xb_error_set(err, -ENAMETOOLONG,
				   "a path of the context is longer than %zu "
				   "bytes",
				   XB_MAX_PATTERN);
		return xb_error_fault(err, XB_FAULT_SOURCE), -ENAMETOOLONG;
	}
	number = deciding(ignore, path);
	*ret_ignored = number < ignore->patterns.len && !ignore->patterns.items[number].exclusion;
	return 0;
}

bool xb_ignore_has_exceptions(const struct xb_ignore *ignore)
{
	for (size_t i = 0; i < ignore->patterns.len; i++)
		if (ignore->patterns.items[i].exclusion)
			return true;
	return false;
}

bool xb_ignore_covers_all(const struct xb_ignore *ignore)
{
	for (size_t i = 0; i < ignore->patterns.len; i++)
		if (ignore->patterns.items[i].all)
			return true;
	return false;
}

bool xb_ignore_may_descend(const struct xb_ignore *ignore, struct xb_view path)
{
	size_t number;

	path = without_slashes(path);
	if (path.len > XB_MAX_PATTERN)
		return false;
	/* what stands before the pattern that ignores the directory cannot undo it below */
	number = deciding(ignore, path);
	for (size_t i = number < ignore->patterns.len ? number : 0; i < ignore->patterns.len; i++)
		if (ignore->patterns.items[i].exclusion &&
		    xb_wild_match(&ignore->patterns.items[i].wild, path,
				  XB_WILD_WHOLE | XB_WILD_PARENT | XB_WILD_BELOW) != 0)
			return true;
	return false;
}
