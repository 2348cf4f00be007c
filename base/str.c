/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/die.h"

enum { STR_FIRST_CAPACITY = 64 };

/* Have room for `len` more bytes and the NUL, or mark the overflow. */
static int str_reserve(struct xb_str *s, size_t len)
{
	size_t max = s->max < SIZE_MAX ? s->max : SIZE_MAX - 1;
	size_t needed, cap;

	if (s->len > max || len > max - s->len) {
		s->overflow = true;
		return -EFBIG;
	}
	needed = s->len + len + 1;
	if (needed <= s->cap)
		return 0;
	cap = s->cap < STR_FIRST_CAPACITY ? STR_FIRST_CAPACITY : s->cap;
	while (cap < needed)
		cap = cap > SIZE_MAX / 2 ? needed : cap * 2;
	if (cap > max + 1)
		cap = max + 1;
	s->data = xb_realloc(s->data, cap, 1);
	s->cap = cap;
	return 0;
}

void xb_str_clear(struct xb_str *s)
{
	free(s->data);
	*s = XB_STR_INIT(s->max);
}

void xb_str_reset(struct xb_str *s)
{
	s->overflow = false;
	xb_str_truncate(s, 0);
}

int xb_str_append(struct xb_str *s, const void *data, size_t len)
{
	int r = str_reserve(s, len);

	if (r < 0)
		return r;
	if (len > 0)
		memcpy(s->data + s->len, data, len);
	s->len += len;
	s->data[s->len] = '\0';
	return 0;
}

int xb_str_append_view(struct xb_str *s, struct xb_view view)
{
	return xb_str_append(s, view.data, view.len);
}

int xb_str_puts(struct xb_str *s, const char *text)
{
	return xb_str_append(s, text, strlen(text));
}

int xb_str_putc(struct xb_str *s, char c)
{
	return xb_str_append(s, &c, 1);
}

int xb_str_printf(struct xb_str *s, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = xb_str_vprintf(s, format, args);
	va_end(args);
	return r;
}

int xb_str_vprintf(struct xb_str *s, const char *format, va_list args)
{
	va_list again;
	int len, r;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0)
		xb_die("formatting \"%s\" failed", format);
	r = str_reserve(s, (size_t)len);
	if (r < 0)
		return r;
	(void)vsnprintf(s->data + s->len, (size_t)len + 1, format, args);
	s->len += (size_t)len;
	return 0;
}

void xb_str_truncate(struct xb_str *s, size_t len)
{
	if (s->data == NULL || len > s->len)
		return;
	s->len = len;
	s->data[len] = '\0';
}

char *xb_str_steal(struct xb_str *s)
{
	char *text = s->data != NULL ? s->data : xb_strdup("");

	*s = XB_STR_INIT(s->max);
	return text;
}

struct xb_view xb_view(const char *text)
{
	return (struct xb_view){ text, text != NULL ? strlen(text) : 0 };
}

bool xb_view_eq(struct xb_view a, struct xb_view b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool xb_view_is(struct xb_view view, const char *text)
{
	return xb_view_eq(view, xb_view(text));
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool xb_view_eq_nocase(struct xb_view a, struct xb_view b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.data[i]) != lower(b.data[i]))
			return false;
	return true;
}

bool xb_view_starts(struct xb_view view, struct xb_view prefix)
{
	return view.len >= prefix.len && xb_view_eq(xb_view_sub(view, 0, prefix.len), prefix);
}

bool xb_view_ends(struct xb_view view, struct xb_view suffix)
{
	return view.len >= suffix.len &&
	       xb_view_eq(xb_view_sub(view, view.len - suffix.len, suffix.len), suffix);
}

struct xb_view xb_view_sub(struct xb_view view, size_t from, size_t len)
{
	if (view.data == NULL || from >= view.len)
		return (struct xb_view){ "", 0 };
	if (len > view.len - from)
		len = view.len - from;
	return (struct xb_view){ view.data + from, len };
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct xb_view xb_view_trim(struct xb_view view)
{
	size_t from = 0, to = view.len;

	while (from < to && is_space(view.data[from]))
		from++;
	while (to > from && is_space(view.data[to - 1]))
		to--;
	return xb_view_sub(view, from, to - from);
}

ptrdiff_t xb_view_find(struct xb_view view, char c)
{
	const char *at = view.len > 0 ? memchr(view.data, c, view.len) : NULL;

	return at != NULL ? at - view.data : -1;
}

bool xb_view_split(struct xb_view *rest, char separator, struct xb_view *ret_piece)
{
	ptrdiff_t at;

	if (rest->data == NULL)
		return false;
	at = xb_view_find(*rest, separator);
	if (at < 0) {
		*ret_piece = *rest;
		*rest = (struct xb_view){ NULL, 0 };
		return true;
	}
	*ret_piece = (struct xb_view){ rest->data, (size_t)at };
	rest->data += at + 1;
	rest->len -= (size_t)at + 1;
	return true;
}

void *xb_alloc(size_t size)
{
	void *p = malloc(size > 0 ? size : 1);

	if (p == NULL)
		xb_die("out of memory (%zu bytes)", size);
	return p;
}

void *xb_calloc(size_t count, size_t size)
{
	void *p = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

	if (p == NULL)
		xb_die("out of memory (%zu times %zu bytes)", count, size);
	return p;
}

void *xb_realloc(void *p, size_t count, size_t size)
{
	/* reallocarray() to 0 bytes would free and return NULL */
	void *grown = reallocarray(p, count > 0 ? count : 1, size > 0 ? size : 1);

	if (grown == NULL)
		xb_die("out of memory (%zu times %zu bytes)", count, size);
	return grown;
}

char *xb_strdup(const char *text)
{
	return text != NULL ? xb_view_dup(xb_view(text)) : NULL;
}

char *xb_view_dup(struct xb_view view)
{
	char *copy = xb_alloc(view.len + 1);

	if (view.len > 0)
		memcpy(copy, view.data, view.len);
	copy[view.len] = '\0';
	return copy;
}

char *xb_format(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = xb_vformat(format, args);
	va_end(args);
	return text;
}

char *xb_vformat(const char *format, va_list args)
{
	struct xb_str s = XB_STR_INIT(SIZE_MAX);

	(void)xb_str_vprintf(&s, format, args);
	return xb_str_steal(&s);
}

/* The length of a sequence by its first byte, and the smallest code point it may spell. */
static const struct utf8_form {
	unsigned char mask, lead;
	unsigned len;
	uint32_t least;
} utf8_forms[] = {
	{ 0x80, 0x00, 1, 0 },
	{ 0xe0, 0xc0, 2, 0x80 },
	{ 0xf0, 0xe0, 3, 0x800 },
	{ 0xf8, 0xf0, 4, 0x10000 },
};

/*
 * What a terminal may take as an order or what changes how the text beside it reads: controls, the
 * marks that turn the direction of writing (CVE-2021-42574), line separators, and what shows as
 * nothing at all.
 */
static const struct code_range {
	uint32_t from, to;
} unprintable[] = {
	{ 0x0000, 0x001f }, { 0x007f, 0x009f },	  { 0x061c, 0x061c },	    { 0x200b, 0x200f },
	{ 0x2028, 0x202e }, { 0x2060, 0x206f },	  { 0xfeff, 0xfeff },	    { 0xfff0, 0xfffb },
	{ 0xfffe, 0xffff }, { 0xe0000, 0xe0fff }, { 0x110000, UINT32_MAX },
};

/* Decode one code point; returns its length, or 0 when it is not well-formed UTF-8. */
static size_t utf8_decode(struct xb_view view, uint32_t *ret_code)
{
	unsigned char first = (unsigned char)view.data[0];
	const struct utf8_form *form = NULL;
	uint32_t code;

	for (size_t i = 0; i < XB_COUNT(utf8_forms) && form == NULL; i++)
		if ((first & utf8_forms[i].mask) == utf8_forms[i].lead)
			form = &utf8_forms[i];
	if (form == NULL || view.len < form->len)
		return 0;
	code = first & (unsigned char)~form->mask;
	for (size_t i = 1; i < form->len; i++) {
		unsigned char byte = (unsigned char)view.data[i];

		if ((byte & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (byte & 0x3f);
	}
	*ret_code = code;
	if (code < form->least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return form->len;
}

size_t xb_view_utf8_len(struct xb_view view)
{
	uint32_t code;

	return view.len > 0 ? utf8_decode(view, &code) : 0;
}

/* Length of the printable character that `view` begins with, or 0. */
static size_t printable_len(struct xb_view view)
{
	uint32_t code = 0;
	size_t len = utf8_decode(view, &code);

	for (size_t i = 0; i < XB_COUNT(unprintable); i++)
		if (code >= unprintable[i].from && code <= unprintable[i].to)
			return 0;
	return len;
}

static int append_escaped(struct xb_str *s, char c)
{
	if (c == '\n')
		return xb_str_puts(s, "\\n");
	if (c == '\t')
		return xb_str_puts(s, "\\t");
	return xb_str_printf(s, "\\x%02x", (unsigned char)c);
}

int xb_str_append_quoted(struct xb_str *s, struct xb_view view)
{
	size_t before = s->len;
	int r = 0;

	while (view.len > 0 && r == 0) {
		size_t len = printable_len(view);

		r = len > 0 ? xb_str_append(s, view.data, len) : append_escaped(s, view.data[0]);
		view = xb_view_sub(view, len > 0 ? len : 1, SIZE_MAX);
	}
	if (r < 0)
		xb_str_truncate(s, before);
	return r;
}

int xb_view_parse_u64(struct xb_view view, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	bool above = false;

	if (view.len == 0)
		return -EINVAL;
	for (size_t i = 0; i < view.len; i++) {
		unsigned digit = (unsigned char)view.data[i] - (unsigned)'0';

		if (digit > 9)
			return -EINVAL;
		above = above || value > (UINT64_MAX - digit) / 10;
		value = value * 10 + digit;
	}
	if (above || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}
