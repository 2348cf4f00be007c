/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/words.h"

#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/text.h"

struct xb_view xb_operand_view(const struct xb_operand_text *text)
{
	return xb_view_sub(xb_str_view(&text->line->text), text->from, text->to - text->from);
}

struct xb_word xb_operand_word(const struct xb_operand_text *text, size_t from, size_t to)
{
	struct xb_view view = xb_view_sub(xb_str_view(&text->line->text), from, to - from);

	return (struct xb_word){ .text = xb_arena_dup(text->arena, view),
				 .len = view.len,
				 .at = xb_line_at(text->line, from, to) };
}

void xb_operand_trim(struct xb_operand_text *text)
{
	xb_text_trim(xb_str_view(&text->line->text), &text->from, &text->to);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

size_t xb_operand_blank(const struct xb_operand_text *text, size_t from)
{
	while (from < text->to && !is_blank(text->line->text.data[from]))
		from++;
	return from;
}

size_t xb_operand_solid(const struct xb_operand_text *text, size_t from)
{
	while (from < text->to && is_blank(text->line->text.data[from]))
		from++;
	return from;
}

void xb_operand_split(const struct xb_operand_text *text, struct xb_word_list *words)
{
	size_t from = xb_operand_solid(text, text->from);

	while (from < text->to) {
		size_t end = xb_operand_blank(text, from);

		*xb_array_push(words) = xb_operand_word(text, from, end);
		from = xb_operand_solid(text, end);
	}
}

/*
 * The end of the word that begins at `pos`. An escape character takes the next character with it,
 * except in single quotes; the last one of a line belongs to no word and sets `*ret_end` in front.
 */
static size_t quoted_word(const struct xb_operand_text *text, size_t pos, size_t *ret_end)
{
	struct xb_view all = xb_view_sub(xb_str_view(&text->line->text), 0, text->to);
	char quote = 0;

	while (pos < text->to) {
		char c = all.data[pos];

		if (quote == 0 && xb_text_space(all, pos) > 0)
			break;
		if (c == text->escape && quote != '\'') {
			if (pos + 1 == text->to) {
				*ret_end = pos;
				return text->to;
			}
			pos++;
		} else if (quote == 0 && (c == '\'' || c == '"')) {
			quote = c;
		} else if (quote != 0 && c == quote) {
			quote = 0;
		}
		(void)xb_rune_next(all, &pos);
	}
	*ret_end = pos;
	return pos;
}

void xb_operand_split_quoted(const struct xb_operand_text *text, struct xb_word_list *words)
{
	struct xb_view all = xb_view_sub(xb_str_view(&text->line->text), 0, text->to);
	size_t pos = text->from;

	while (pos < text->to) {
		size_t space = xb_text_space(all, pos);
		size_t end, next;

		if (space > 0) {
			pos += space;
			continue;
		}
		next = quoted_word(text, pos, &end);
		if (end > pos)
			*xb_array_push(words) = xb_operand_word(text, pos, end);
		pos = next;
	}
}

/* Read one flag's word, unquoted, into `out`; returns its end. */
static size_t flag_word(const struct xb_operand_text *text, size_t pos, struct xb_str *out)
{
	const char *data = text->line->text.data;
	char quote = 0;

	for (; pos < text->to; pos++) {
		char c = data[pos];

		if (quote == 0 && is_blank(c))
			break;
		if (c == text->escape) {
			if (++pos < text->to)
				(void)xb_str_putc(out, data[pos]);
		} else if (quote == 0 && (c == '\'' || c == '"')) {
			quote = c;
		} else if (quote != 0 && c == quote) {
			quote = 0;
		} else {
			(void)xb_str_putc(out, c);
		}
	}
	return pos < text->to ? pos : text->to;
}

void xb_operand_take_flags(struct xb_operand_text *text, struct xb_flag_list *flags)
{
	xb_auto_str struct xb_str word = XB_STR_INIT(XB_MAX_DOCKERFILE);
	const char *data = text->line->text.data;

	for (;;) {
		size_t from = xb_operand_solid(text, text->from);
		struct xb_view all, name;
		ptrdiff_t equals;

		text->from = from;
		if (text->to - from < 2 || data[from] != '-' || data[from + 1] != '-')
			return;
		xb_str_reset(&word);
		text->from = flag_word(text, from, &word);
		if (word.len <= 2)
			return;
		all = xb_view_sub(xb_str_view(&word), 2, word.len);
		equals = xb_view_find(all, '=');
		name = equals < 0 ? all : xb_view_sub(all, 0, (size_t)equals);
		*xb_array_push(flags) = (struct xb_flag){
			.name = xb_arena_dup(text->arena, name),
			.value = equals < 0 ? NULL
					    : xb_arena_dup(text->arena,
							   xb_view_sub(all, (size_t)equals + 1,
								       all.len)),
			.at = xb_line_at(text->line, from, text->from),
		};
	}
}
