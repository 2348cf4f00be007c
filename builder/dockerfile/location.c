/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/location.h"

#include <errno.h>
#include <string.h>

#include "builder/dockerfile/text.h"

/* Characters of a source line that an excerpt shows at most, and how many of them before the caret
 * when the line is longer. */
#define EXCERPT_WIDTH  100u
#define EXCERPT_BEFORE 60u

struct xb_view xb_location_line(const struct xb_dockerfile *dockerfile, uint32_t number)
{
	struct xb_view rest = dockerfile->text;
	struct xb_view line = { NULL, 0 };

	for (uint32_t i = 0; i < number; i++)
		if (!xb_view_split(&rest, '\n', &line))
			return (struct xb_view){ NULL, 0 };
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* Append what of a line fits, each character one column wide; returns the column of byte `at`. */
static size_t append_line(struct xb_view line, size_t at, struct xb_str *out)
{
	size_t pos = 0, width = 0, column = 0;

	if (at > EXCERPT_BEFORE) {
		pos = at - EXCERPT_BEFORE;
		while (pos < at && ((unsigned char)line.data[pos] & 0xC0) == 0x80)
			pos++;
		(void)xb_str_puts(out, "...");
		column = 3;
	}
	while (pos < line.len && width < EXCERPT_WIDTH) {
		bool before = pos < at;
		uint32_t rune = xb_rune_next(line, &pos);

		if (rune == '\t')
			rune = ' ';
		xb_rune_append(out, xb_rune_is_print(rune) ? rune : '?');
		width++;
		column += before ? 1 : 0;
	}
	if (pos < line.len)
		(void)xb_str_puts(out, "...");
	return column;
}

void xb_location_excerpt(struct xb_view line, struct xb_location at, struct xb_str *out)
{
	size_t byte = at.column > 0 ? at.column - 1 : 0;
	size_t column;

	if (byte > line.len)
		byte = line.len;
	(void)xb_str_printf(out, "%5u | ", at.line);
	column = append_line(line, byte, out);
	(void)xb_str_printf(out, "\n      | %*s^", (int)column, "");
}

static void set_excerpt(const struct xb_dockerfile *dockerfile, struct xb_location at,
			struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	struct xb_view line = xb_location_line(dockerfile, at.line);

	if (line.data == NULL)
		return;
	xb_location_excerpt(line, at, &text);
	(void)xb_error_excerpt(err, "%s", xb_str_text(&text));
}

int xb_location_verror(const struct xb_dockerfile *dockerfile, struct xb_location at,
		       struct xb_error *err, const char *format, va_list args)
{
	xb_autofree char *sentence = xb_vformat(format, args);

	(void)xb_error_set(err, -EINVAL, "%s:%u:%u: %s", dockerfile->path, at.line, at.column,
			   sentence);
	(void)xb_error_fault(err, XB_FAULT_SOURCE);
	set_excerpt(dockerfile, at, err);
	return -EINVAL;
}

int xb_location_error(const struct xb_dockerfile *dockerfile, struct xb_location at,
		      struct xb_error *err, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = xb_location_verror(dockerfile, at, err, format, args);
	va_end(args);
	return r;
}

int xb_location_wrap(const struct xb_dockerfile *dockerfile, struct xb_location at,
		     struct xb_error *err)
{
	int r = err != NULL ? err->code : -EINVAL;

	(void)xb_error_wrap(err, r, "%s:%u:%u", dockerfile->path, at.line, at.column);
	(void)xb_error_fault(err, XB_FAULT_SOURCE);
	set_excerpt(dockerfile, at, err);
	return r;
}
