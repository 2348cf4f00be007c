/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/line.h"

#include <errno.h>

#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/location.h"
#include "builder/dockerfile/text.h"

void xb_line_clear(struct xb_line *line)
{
	xb_str_clear(&line->text);
	xb_array_clear(&line->spans);
	xb_array_clear(&line->comments);
}

static const struct xb_span *find_span(const struct xb_line *line, size_t offset)
{
	size_t low = 0, high = line->spans.len;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (line->spans.items[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return &line->spans.items[low];
}

struct xb_location xb_line_at(const struct xb_line *line, size_t from, size_t to)
{
	const struct xb_span *first = find_span(line, from);
	const struct xb_span *last = find_span(line, to > from ? to - 1 : from);

	return (struct xb_location){ .line = first->line,
				     .column = first->column + (uint32_t)(from - first->offset),
				     .end_line = last->line };
}

struct xb_line_reader xb_line_reader_init(struct xb_dockerfile *dockerfile)
{
	struct xb_line_reader reader = { .dockerfile = dockerfile,
					 .rest = dockerfile->text,
					 .directives = true };

	dockerfile->directives.escape = '\\';
	return reader;
}

bool xb_line_reader_raw(struct xb_line_reader *reader, struct xb_view *ret)
{
	ptrdiff_t end;

	if (reader->rest.len == 0)
		return false;
	end = xb_view_find(reader->rest, '\n');
	*ret = xb_view_sub(reader->rest, 0, end < 0 ? reader->rest.len : (size_t)end + 1);
	reader->rest = xb_view_sub(reader->rest, ret->len, reader->rest.len);
	reader->number++;
	return true;
}

static struct xb_location here(const struct xb_line_reader *reader, size_t column)
{
	return (struct xb_location){ reader->number, (uint32_t)column + 1, reader->number };
}

/* The next line of the source without its end. Returns 1, 0 at the end of the text, or an error. */
static int read_line(struct xb_line_reader *reader, struct xb_view *ret, struct xb_error *err)
{
	if (!xb_line_reader_raw(reader, ret))
		return 0;
	while (ret->len > 0 && (ret->data[ret->len - 1] == '\n' || ret->data[ret->len - 1] == '\r'))
		ret->len--;
	if (ret->len <= XB_MAX_DOCKERFILE_LINE)
		return 1;
	(void)xb_location_error(reader->dockerfile, here(reader, 0), err,
				"the line is longer than %zu bytes", XB_MAX_DOCKERFILE_LINE);
	if (err != NULL)
		err->code = -EFBIG;
	return -EFBIG;
}

static size_t skip_space(struct xb_view text, size_t pos)
{
	size_t len;

	while ((len = xb_text_space(text, pos)) > 0)
		pos += len;
	return pos;
}

/* Directives. */

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Read "# name = value"; returns false when the line is no such thing. */
static bool split_directive(struct xb_view line, struct xb_view *name, struct xb_view *value)
{
	size_t from = skip_space(line, 1), pos = from, to = line.len;

	while (pos < line.len && is_alnum(line.data[pos]))
		pos++;
	if (pos == from || (line.data[from] >= '0' && line.data[from] <= '9'))
		return false;
	*name = xb_view_sub(line, from, pos - from);
	pos = skip_space(line, pos);
	if (pos >= line.len || line.data[pos] != '=')
		return false;
	pos++;
	xb_text_trim(line, &pos, &to);
	*value = xb_view_sub(line, pos, to - pos);
	return value->len > 0;
}

static int set_escape(struct xb_line_reader *reader, struct xb_view line, struct xb_view value,
		      struct xb_error *err)
{
	if (value.len != 1 || (value.data[0] != '\\' && value.data[0] != '`'))
		return xb_location_error(
			reader->dockerfile, here(reader, (size_t)(value.data - line.data)), err,
			"invalid escape token '%.*s' does not match ` or \\", XB_VIEW_ARGS(value));
	reader->dockerfile->directives.escape = value.data[0];
	return 0;
}

/* Take a directive if `line`, without white space in front, is one; else there are no more. */
static int take_directive(struct xb_line_reader *reader, struct xb_view line, bool seen[static 3],
			  struct xb_error *err)
{
	static const char *const names[] = { "escape", "syntax", "check" };
	struct xb_directives *d = &reader->dockerfile->directives;
	struct xb_view name, value;
	size_t which = 0;

	reader->directives = false;
	if (line.len == 0 || line.data[0] != '#' || !split_directive(line, &name, &value))
		return 0;
	while (which < XB_COUNT(names) && !xb_view_eq_nocase(name, xb_view(names[which])))
		which++;
	if (which == XB_COUNT(names))
		return 0;
	if (seen[which])
		return xb_location_error(reader->dockerfile, here(reader, 0), err,
					 "only one %s parser directive can be used", names[which]);
	seen[which] = true;
	reader->directives = true;
	if (which == 0)
		return reader->shebang ? 0 : set_escape(reader, line, value, err);
	*(which == 1 ? &d->syntax : &d->check) = xb_arena_dup(reader->dockerfile->arena, value);
	return 0;
}

/* Directives stand at the very top, behind a "#!" line if there is one. */
static int read_directives(struct xb_line_reader *reader, struct xb_error *err)
{
	bool seen[3] = { false };
	int r = 1;

	while (r > 0 && reader->directives) {
		struct xb_line_reader before = *reader;
		struct xb_view line;

		r = read_line(reader, &line, err);
		if (r <= 0)
			break;
		if (reader->number == 1 && xb_view_starts(line, XB_VIEW("#!"))) {
			reader->shebang = true;
			continue;
		}
		line = xb_view_sub(line, skip_space(line, 0), line.len);
		r = take_directive(reader, line, seen, err);
		if (r < 0)
			break;
		if (!reader->directives) {
			*reader = before;
			reader->directives = false;
		}
		r = 1;
	}
	reader->directives = false;
	return r < 0 ? r : 0;
}

/* Lines. */

/*
 * Cut a continuation off: the escape character as the last that is not blank, unless another stands
 * in front of it.
 */
static bool cut_continuation(struct xb_view *line, char escape)
{
	size_t len = line->len;

	while (len > 0 && (line->data[len - 1] == ' ' || line->data[len - 1] == '\t'))
		len--;
	if (len == 0 || line->data[len - 1] != escape)
		return false;
	if (len > 1 && line->data[len - 2] == escape)
		return false;
	line->len = len - 1;
	return true;
}

static void append(struct xb_line_reader *reader, struct xb_line *line, struct xb_view text,
		   size_t column)
{
	if (text.len == 0)
		return;
	*xb_array_push(&line->spans) = (struct xb_span){ .offset = line->text.len,
							 .line = reader->number,
							 .column = (uint32_t)column + 1 };
	(void)xb_str_append_view(&line->text, text);
	line->last = reader->number;
}

/* Take note of a comment whose "#" stands at `solid`. An empty one parts what is above from below.
 */
static void note_comment(const struct xb_line_reader *reader, struct xb_line *line,
			 struct xb_view text, size_t solid)
{
	size_t from = solid + 1, to = text.len;

	xb_text_trim(text, &from, &to);
	if (from == to)
		line->comments.len = 0;
	else
		*xb_array_push(&line->comments) =
			(struct xb_comment){ .text = xb_view_sub(text, from, to - from),
					     .line = reader->number };
}

/* Blank lines and comments between continued lines are left out. */
static int read_continued(struct xb_line_reader *reader, struct xb_line *line, struct xb_error *err)
{
	char escape = reader->dockerfile->directives.escape;
	struct xb_view text;
	bool more = true;
	int r = 1;

	while (more && (r = read_line(reader, &text, err)) > 0) {
		size_t solid = skip_space(text, 0);

		if (solid >= text.len && line->blank == 0)
			line->blank = reader->number;
		if (solid >= text.len || text.data[solid] == '#')
			continue;
		more = cut_continuation(&text, escape);
		append(reader, line, text, 0);
	}
	return r < 0 ? r : 0;
}

int xb_line_reader_next(struct xb_line_reader *reader, struct xb_line *line, struct xb_error *err)
{
	char escape;
	struct xb_view text;
	int r = reader->directives ? read_directives(reader, err) : 0;

	if (r < 0)
		return r;
	escape = reader->dockerfile->directives.escape;
	xb_str_reset(&line->text);
	line->spans.len = 0;
	line->comments.len = 0;
	line->blank = 0;
	while ((r = read_line(reader, &text, err)) > 0) {
		size_t solid = skip_space(text, 0);
		bool more;

		if (solid < text.len && text.data[solid] == '#')
			note_comment(reader, line, text, solid);
		if (solid >= text.len || text.data[solid] == '#')
			continue;
		text = xb_view_sub(text, solid, text.len);
		more = cut_continuation(&text, escape);
		append(reader, line, text, solid);
		if (more)
			r = read_continued(reader, line, err);
		if (r < 0 || line->text.len > 0)
			break;
	}
	if (r < 0)
		return r;
	return line->text.len > 0 ? 1 : 0;
}
