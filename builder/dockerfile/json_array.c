/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/json_array.h"

#include <string.h>

#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/text.h"

struct reader {
	struct xb_view all;
	size_t pos;
	unsigned depth;
	struct xb_str string; /* of the string read last, if `keep` */
	bool keep;
};

static bool read_value(struct reader *r);

static void reader_clear(struct reader *r)
{
	xb_str_clear(&r->string);
}

static char peek(const struct reader *r)
{
	return r->pos < r->all.len ? r->all.data[r->pos] : 0;
}

static void skip(struct reader *r)
{
	while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\r' || peek(r) == '\n')
		r->pos++;
}

static bool take(struct reader *r, char c)
{
	if (peek(r) != c || r->pos >= r->all.len)
		return false;
	r->pos++;
	return true;
}

static bool take_literal(struct reader *r, const char *word)
{
	struct xb_view want = xb_view(word);

	if (!xb_view_starts(xb_view_sub(r->all, r->pos, want.len), want))
		return false;
	r->pos += want.len;
	return true;
}

/* Strings. */

static bool read_hex(struct reader *r, uint32_t *ret)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		char c = peek(r);

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return false;
		r->pos++;
	}
	*ret = value;
	return true;
}

/* Behind "\u"; half a surrogate pair becomes U+FFFD. */
static bool read_unicode(struct reader *r)
{
	uint32_t high, low;
	size_t mark;

	if (!read_hex(r, &high))
		return false;
	if (high >= 0xD800 && high <= 0xDFFF) {
		mark = r->pos;
		if (high <= 0xDBFF && take_literal(r, "\\u") && read_hex(r, &low) &&
		    low >= 0xDC00 && low <= 0xDFFF) {
			high = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
		} else {
			r->pos = mark;
			high = 0xFFFD;
		}
	}
	if (r->keep)
		xb_rune_append(&r->string, high);
	return true;
}

static bool read_escape(struct reader *r)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char c = peek(r);
	const char *found;

	if (c == 0)
		return false;
	r->pos++;
	if (c == 'u')
		return read_unicode(r);
	found = strchr(from, c);
	if (found == NULL)
		return false;
	if (r->keep)
		(void)xb_str_putc(&r->string, to[found - from]);
	return true;
}

static bool read_string(struct reader *r)
{
	uint32_t rune;

	if (!take(r, '"'))
		return false;
	while (r->pos < r->all.len) {
		if (take(r, '"'))
			return true;
		if (take(r, '\\')) {
			if (!read_escape(r))
				return false;
			continue;
		}
		rune = xb_rune_next(r->all, &r->pos);
		if (rune < 0x20)
			return false;
		if (r->keep)
			xb_rune_append(&r->string, rune >= XB_RUNE_BYTE ? 0xFFFD : rune);
	}
	return false;
}

/* Everything else is only checked. */

static bool read_digits(struct reader *r)
{
	size_t from = r->pos;

	while (peek(r) >= '0' && peek(r) <= '9')
		r->pos++;
	return r->pos > from;
}

static bool read_number(struct reader *r)
{
	(void)take(r, '-');
	if (!take(r, '0') && !read_digits(r))
		return false;
	if (take(r, '.') && !read_digits(r))
		return false;
	if (!take(r, 'e') && !take(r, 'E'))
		return true;
	if (!take(r, '+'))
		(void)take(r, '-');
	return read_digits(r);
}

/* The members of an array or object behind its bracket. */
static bool read_members(struct reader *r, char close, bool named)
{
	bool ok;

	skip(r);
	if (take(r, close))
		return true;
	do {
		skip(r);
		if (named) {
			ok = read_string(r);
			skip(r);
			if (!ok || !take(r, ':'))
				return false;
		}
		if (!read_value(r))
			return false;
		skip(r);
	} while (take(r, ','));
	return take(r, close);
}

static bool read_value(struct reader *r)
{
	bool ok;

	skip(r);
	if (r->depth >= XB_MAX_NESTING)
		return false;
	r->depth++;
	if (peek(r) == '"')
		ok = read_string(r);
	else if (take(r, '['))
		ok = read_members(r, ']', false);
	else if (take(r, '{'))
		ok = read_members(r, '}', true);
	else
		ok = take_literal(r, "true") || take_literal(r, "false") ||
		     take_literal(r, "null") || read_number(r);
	r->depth--;
	return ok;
}

static bool push_string(struct reader *r, const struct xb_operand_text *text,
			struct xb_word_list *words)
{
	size_t from = r->pos;

	xb_str_reset(&r->string);
	r->keep = true;
	if (!read_string(r))
		return false;
	r->keep = false;
	*xb_array_push(words) = (struct xb_word){
		.text = xb_arena_dup(text->arena, xb_str_view(&r->string)),
		.len = r->string.len,
		.at = xb_line_at(text->line, from, r->pos),
	};
	return true;
}

/* The whole array; `*strings` becomes false when it holds anything but strings. */
static bool read_array(struct reader *r, const struct xb_operand_text *text,
		       struct xb_word_list *words, bool *strings)
{
	if (!take(r, '['))
		return false;
	skip(r);
	if (take(r, ']'))
		return true;
	do {
		skip(r);
		if (peek(r) == '"') {
			if (!push_string(r, text, words))
				return false;
		} else {
			*strings = false;
			if (!read_value(r))
				return false;
		}
		skip(r);
	} while (take(r, ','));
	return take(r, ']');
}

enum xb_json_array xb_json_array_read(const struct xb_operand_text *text,
				      struct xb_word_list *words)
{
	XB_CLEANUP(reader_clear)
	struct reader r = {
		.all = xb_view_sub(xb_str_view(&text->line->text), 0, text->to),
		.pos = text->from,
		.depth = 1,
		.string = XB_STR_INIT(XB_MAX_DOCKERFILE),
	};
	size_t before = words->len;
	bool strings = true, whole;

	skip(&r);
	whole = read_array(&r, text, words, &strings);
	skip(&r);
	whole = whole && r.pos == text->to;
	if (whole && strings)
		return XB_JSON_ARRAY_STRINGS;
	words->len = before;
	return whole ? XB_JSON_ARRAY_OTHER : XB_JSON_ARRAY_NONE;
}
