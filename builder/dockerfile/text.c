/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/text.h"

#include <string.h>

#include "base/cleanup.h"

struct range {
	uint32_t from;
	uint32_t to;
};

static bool in_ranges(uint32_t rune, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (rune >= ranges[i].from && rune <= ranges[i].to)
			return true;
	return false;
}

/* Length of the sequence that `first` begins, the bits it carries and the least value allowed. */
static size_t sequence(unsigned char first, uint32_t *bits, uint32_t *least)
{
	if (first >= 0xC2 && first <= 0xDF) {
		*bits = first & 0x1Fu;
		*least = 0x80;
		return 2;
	}
	if (first >= 0xE0 && first <= 0xEF) {
		*bits = first & 0x0Fu;
		*least = 0x800;
		return 3;
	}
	if (first >= 0xF0 && first <= 0xF4) {
		*bits = first & 0x07u;
		*least = 0x10000;
		return 4;
	}
	return 0;
}

uint32_t xb_rune_next(struct xb_view text, size_t *pos)
{
	const unsigned char *p = (const unsigned char *)text.data + *pos;
	size_t left = text.len - *pos;
	uint32_t rune = 0, least = 0;
	size_t len;

	*pos += 1;
	if (p[0] < 0x80)
		return p[0];
	len = sequence(p[0], &rune, &least);
	if (len == 0 || len > left)
		return XB_RUNE_BYTE + p[0];
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return XB_RUNE_BYTE + p[0];
		rune = rune << 6 | (p[i] & 0x3Fu);
	}
	if (rune < least || rune > 0x10FFFF || (rune >= 0xD800 && rune <= 0xDFFF))
		return XB_RUNE_BYTE + p[0];
	*pos += len - 1;
	return rune;
}

void xb_rune_append(struct xb_str *s, uint32_t rune)
{
	char out[4];
	size_t len = 0;

	if (rune >= XB_RUNE_BYTE) {
		out[len++] = (char)(rune - XB_RUNE_BYTE);
	} else if (rune < 0x80) {
		out[len++] = (char)rune;
	} else if (rune < 0x800) {
		out[len++] = (char)(0xC0 | rune >> 6);
	} else if (rune < 0x10000) {
		out[len++] = (char)(0xE0 | rune >> 12);
		out[len++] = (char)(0x80 | (rune >> 6 & 0x3F));
	} else {
		out[len++] = (char)(0xF0 | rune >> 18);
		out[len++] = (char)(0x80 | (rune >> 12 & 0x3F));
		out[len++] = (char)(0x80 | (rune >> 6 & 0x3F));
	}
	if (rune >= 0x80 && rune < XB_RUNE_BYTE)
		out[len++] = (char)(0x80 | (rune & 0x3F));
	(void)xb_str_append(s, out, len);
}

bool xb_rune_is_space(uint32_t rune)
{
	static const struct range wide[] = {
		{ 0x85, 0x85 },	    { 0xA0, 0xA0 },	{ 0x1680, 0x1680 }, { 0x2000, 0x200A },
		{ 0x2028, 0x2029 }, { 0x202F, 0x202F }, { 0x205F, 0x205F }, { 0x3000, 0x3000 },
	};

	if (rune < 0x80)
		return rune == ' ' || (rune >= '\t' && rune <= '\r');
	return in_ranges(rune, wide, XB_COUNT(wide));
}

bool xb_rune_is_name(uint32_t rune)
{
	static const struct range other[] = {
		{ 0x80, 0xA9 },	    { 0xAB, 0xB4 },	{ 0xB6, 0xB9 },	      { 0xBB, 0xBF },
		{ 0xD7, 0xD7 },	    { 0xF7, 0xF7 },	{ 0x1680, 0x1680 },   { 0x2000, 0x2BFF },
		{ 0x2E00, 0x2E7F }, { 0x3000, 0x3004 }, { 0x3007, 0x3030 },   { 0x303D, 0x303F },
		{ 0xD800, 0xF8FF }, { 0xFE00, 0xFE6F }, { 0xFEFF, 0xFF20 },   { 0xFF3B, 0xFF40 },
		{ 0xFF5B, 0xFF65 }, { 0xFFE0, 0xFFFF }, { 0x1F000, 0x1FAFF }, { 0xE0000, 0x120000 },
	};

	if (rune < 0x80)
		return (rune >= '0' && rune <= '9') || (rune >= 'A' && rune <= 'Z') ||
		       (rune >= 'a' && rune <= 'z') || rune == '_';
	return !in_ranges(rune, other, XB_COUNT(other));
}

bool xb_rune_is_print(uint32_t rune)
{
	static const struct range hidden[] = {
		{ 0x7F, 0x9F },	    { 0xAD, 0xAD },	  { 0x200B, 0x200F },	 { 0x202A, 0x202E },
		{ 0x2060, 0x206F }, { 0xD800, 0xF8FF },	  { 0xFEFF, 0xFEFF },	 { 0xFFF0, 0xFFFB },
		{ 0xFFFE, 0xFFFF }, { 0xE0000, 0xE0FFF }, { 0xF0000, 0x120000 },
	};

	if (rune < 0x20)
		return false;
	if (rune == ' ')
		return true;
	return !xb_rune_is_space(rune) && !in_ranges(rune, hidden, XB_COUNT(hidden));
}

size_t xb_text_space(struct xb_view text, size_t pos)
{
	size_t end = pos;

	if (pos >= text.len || !xb_rune_is_space(xb_rune_next(text, &end)))
		return 0;
	return end - pos;
}

void xb_text_trim(struct xb_view text, size_t *from, size_t *to)
{
	size_t solid, pos, len;

	while (*from < *to && (len = xb_text_space(text, *from)) > 0)
		*from += len;
	/* backwards a character cannot be decoded: look for the last solid one in the tail */
	pos = *to;
	while (pos > *from &&
	       ((unsigned char)text.data[pos - 1] >= 0x80 || xb_text_space(text, pos - 1) > 0))
		pos--;
	solid = pos;
	while (pos < *to) {
		len = xb_text_space(text, pos);
		pos += len > 0 ? len : 1;
		if (len == 0)
			solid = pos;
	}
	*to = solid < *from ? *from : solid;
}

/* Quoting as Go's %q. */

static void append_quoted_rune(uint32_t rune, struct xb_str *out)
{
	static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
	const char *found = rune != 0 && rune < 0x80 ? strchr(from, (int)rune) : NULL;

	if (found != NULL)
		(void)xb_str_printf(out, "\\%c", to[found - from]);
	else if (xb_rune_is_print(rune))
		xb_rune_append(out, rune);
	else if (rune >= XB_RUNE_BYTE)
		(void)xb_str_printf(out, "\\x%02x", rune - XB_RUNE_BYTE);
	else if (rune < 0x20 || rune == 0x7F)
		(void)xb_str_printf(out, "\\x%02x", rune);
	else
		(void)xb_str_printf(out, rune < 0x10000 ? "\\u%04x" : "\\U%08x", rune);
}

void xb_text_quote(struct xb_view text, struct xb_str *out)
{
	size_t pos = 0;

	(void)xb_str_putc(out, '"');
	while (pos < text.len)
		append_quoted_rune(xb_rune_next(text, &pos), out);
	(void)xb_str_putc(out, '"');
}
