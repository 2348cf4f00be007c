/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/heredoc.h"

#include <stdint.h>
#include <string.h>

#include "builder/dockerfile/expand.h"
#include "builder/dockerfile/limits.h"

static bool no_variable(void *ctx, struct xb_view name, const char **ret_value)
{
	(void)ctx;
	(void)name;
	(void)ret_value;
	return false;
}

static size_t count_quotes(const char *text)
{
	size_t count = 0;

	for (; *text != 0; text++)
		count += *text == '\'' || *text == '"';
	return count;
}

/* Read what stands in front of the name; returns its length, 0 when this is no here-document. */
static size_t read_operator(struct xb_view word, struct xb_heredoc *ret)
{
	size_t pos = 0;
	uint64_t fd = 0;

	for (; pos < word.len && word.data[pos] >= '0' && word.data[pos] <= '9'; pos++)
		if (fd <= UINT32_MAX)
			fd = fd * 10 + (uint64_t)(word.data[pos] - '0');
	if (!xb_view_starts(xb_view_sub(word, pos, 2), XB_VIEW("<<")))
		return 0;
	pos += 2;
	ret->fd = fd <= UINT32_MAX ? (uint32_t)fd : UINT32_MAX;
	ret->strip_tabs = pos < word.len && word.data[pos] == '-';
	pos += ret->strip_tabs ? 1 : 0;
	while (pos < word.len && strchr("\t\n\f\r ", word.data[pos]) != NULL)
		pos++;
	if (pos == word.len || xb_view_find(xb_view_sub(word, pos, word.len), '<') >= 0)
		return 0;
	return pos;
}

int xb_heredoc_read_word(struct xb_view word, struct xb_arena *arena, struct xb_heredoc *ret,
			 struct xb_error *err)
{
	struct xb_expand_env env = { .lookup = no_variable, .escape = '\\', .skip_unset = true };
	xb_auto_strv struct xb_strv plain = XB_STRV_INIT;
	xb_auto_strv struct xb_strv raw = XB_STRV_INIT;
	xb_autofree char *name = NULL;
	struct xb_heredoc heredoc = { 0 };
	size_t pos = read_operator(word, &heredoc);
	int r;

	if (pos == 0)
		return 0;
	name = xb_view_dup(xb_view_sub(word, pos, word.len));
	r = xb_expand_words(name, &env, &plain, err);
	if (r < 0 || plain.len != 1)
		return r;
	env.raw_quotes = true;
	r = xb_expand_words(name, &env, &raw, err);
	if (r < 0 || raw.len != 1)
		return r;
	/* quotes that went away quoted a part of the name: nothing in the contents is expanded */
	heredoc.expand = count_quotes(plain.items[0]) == count_quotes(raw.items[0]);
	heredoc.name = xb_arena_dup(arena, xb_view(plain.items[0]));
	*ret = heredoc;
	return 1;
}

/* Where a word stands in the line, from `*pos` on. */
static struct xb_location locate(const struct xb_line *line, const char *word, size_t *pos)
{
	size_t len = strlen(word);
	const char *found = memmem(line->text.data + *pos, line->text.len - *pos, word, len);

	if (found == NULL)
		return xb_line_at(line, 0, line->text.len);
	*pos = (size_t)(found - line->text.data) + len;
	return xb_line_at(line, *pos - len, *pos);
}

int xb_heredoc_find(const struct xb_line *line, struct xb_arena *arena,
		    struct xb_heredoc_list *heredocs, struct xb_error *err)
{
	const struct xb_expand_env env = { .lookup = no_variable,
					   .escape = '\\',
					   .raw_quotes = true,
					   .raw_escapes = true,
					   .skip_unset = true };
	xb_auto_strv struct xb_strv words = XB_STRV_INIT;
	size_t pos = 0;

	if (strstr(xb_str_text(&line->text), "<<") == NULL ||
	    xb_expand_words(xb_str_text(&line->text), &env, &words, NULL) < 0)
		return 0;
	for (size_t i = 0; i < words.len; i++) {
		struct xb_heredoc heredoc;
		int r;

		if (strstr(words.items[i], "<<") == NULL)
			continue;
		r = xb_heredoc_read_word(xb_view(words.items[i]), arena, &heredoc, err);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		heredoc.at = locate(line, words.items[i], &pos);
		*xb_array_push(heredocs) = heredoc;
	}
	return 0;
}

static struct xb_view without_tabs(struct xb_view line)
{
	size_t pos = 0;

	while (pos < line.len && line.data[pos] == '\t')
		pos++;
	return xb_view_sub(line, pos, line.len);
}

static bool is_terminator(struct xb_view line, const struct xb_heredoc *heredoc)
{
	while (line.len > 0 && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
		line.len--;
	if (heredoc->strip_tabs)
		line = without_tabs(line);
	return xb_view_is(line, heredoc->name);
}

int xb_heredoc_read(struct xb_line_reader *reader, struct xb_heredoc *heredoc)
{
	struct xb_arena *arena = reader->dockerfile->arena;
	xb_auto_str struct xb_str stripped = XB_STR_INIT(XB_MAX_DOCKERFILE);
	struct xb_view raw = { reader->rest.data, 0 };
	struct xb_view line;

	while (xb_line_reader_raw(reader, &line)) {
		if (is_terminator(line, heredoc)) {
			heredoc->raw = xb_arena_dup(arena, raw);
			heredoc->content = heredoc->raw;
			if (heredoc->strip_tabs)
				heredoc->content = xb_arena_dup(arena, xb_str_view(&stripped));
			return 1;
		}
		raw.len += line.len;
		if (heredoc->strip_tabs)
			(void)xb_str_append_view(&stripped, without_tabs(line));
	}
	return 0;
}
