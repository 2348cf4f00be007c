/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/pattern.h"

#include <errno.h>
#include <stdint.h>

#include "base/array.h"
#include "builder/dockerfile/text.h"

/* Pattern elements beside plain characters, above all that xb_rune_next() gives. */
#define TOKEN_ANY  0x200000u
#define TOKEN_STAR 0x200001u
#define NO_MATCH   SIZE_MAX

struct runes XB_ARRAY(uint32_t);

struct matcher {
	struct runes tokens;
	struct runes value;
	size_t first; /* end of the first segment */
	size_t steps; /* left */
};

static void matcher_clear(struct matcher *m)
{
	xb_array_clear(&m->tokens);
	xb_array_clear(&m->value);
}

static int read_pattern(struct matcher *m, const struct xb_pattern_job *job, struct xb_error *err)
{
	struct xb_view p = job->pattern;
	size_t pos = 0;

	while (pos < p.len) {
		uint32_t rune = xb_rune_next(p, &pos);

		if (rune == '*') {
			rune = TOKEN_STAR;
		} else if (rune == '?') {
			rune = TOKEN_ANY;
		} else if (rune == '\\' || rune == (unsigned char)job->escape) {
			uint32_t next = pos < p.len ? xb_rune_next(p, &pos) : 0;

			if (next != '*' && next != '?' && next != '/' && next != '}' &&
			    next != rune)
				return xb_error_set(err, -EINVAL,
						    "invalid escape in pattern \"%.*s\"",
						    XB_VIEW_ARGS(p));
			rune = next;
		}
		*xb_array_push(&m->tokens) = rune;
	}
	return 0;
}

static int matcher_init(struct matcher *m, const struct xb_pattern_job *job, struct xb_error *err)
{
	size_t pos = 0;
	size_t text = job->value.len + job->pattern.len;

	m->steps = *job->steps > text ? *job->steps - text : 0;
	while (pos < job->value.len)
		*xb_array_push(&m->value) = xb_rune_next(job->value, &pos);
	return read_pattern(m, job, err);
}

static void reverse(struct runes *r)
{
	for (size_t i = 0; i + i + 1 < r->len; i++) {
		uint32_t rune = r->items[i];

		r->items[i] = r->items[r->len - 1 - i];
		r->items[r->len - 1 - i] = rune;
	}
}

/* Whether the tokens from..to, without a star, match the value at `at`. */
static bool segment_at(struct matcher *m, size_t from, size_t to, size_t at)
{
	if (to - from > m->value.len - at)
		return false;
	for (size_t i = from; i < to; i++, at++) {
		uint32_t token = m->tokens.items[i];

		if (m->steps == 0)
			return false;
		m->steps--;
		if (token != m->value.items[at] &&
		    (token != TOKEN_ANY || m->value.items[at] == '\n'))
			return false;
	}
	return true;
}

/* How far a star that begins at `at` reaches: to the next newline or the end. */
static size_t star_reach(const struct matcher *m, size_t at)
{
	while (at < m->value.len && m->value.items[at] != '\n')
		at++;
	return at;
}

/* Where the segment, behind a star at `at`, begins: the first place, or the last. */
static size_t find_segment(struct matcher *m, size_t from, size_t to, size_t at, bool last)
{
	size_t reach = star_reach(m, at);

	if (m->steps <= reach - at)
		m->steps = 0;
	else
		m->steps -= reach - at;
	for (size_t n = reach - at + 1, i = 0; i < n && m->steps > 0; i++) {
		size_t place = last ? reach - i : at + i;

		if (segment_at(m, from, to, place))
			return place;
	}
	return NO_MATCH;
}

static void spend(struct matcher *m, size_t steps)
{
	m->steps = m->steps > steps ? m->steps - steps : 0;
}

static size_t segment_end(const struct matcher *m, size_t from)
{
	while (from < m->tokens.len && m->tokens.items[from] != TOKEN_STAR)
		from++;
	return from;
}

/*
 * The end of the shortest or longest match that begins at `at`. Stars do not cross a newline, so
 * for all segments but the last the first place is as good as any other.
 */
static size_t match_at(struct matcher *m, size_t at, bool longest)
{
	size_t from = 0, to = m->first;

	if (!segment_at(m, from, to, at))
		return NO_MATCH;
	at += to - from;
	while (to < m->tokens.len) {
		from = to + 1;
		to = segment_end(m, from);
		spend(m, to - from + 1);
		at = find_segment(m, from, to, at, longest && to == m->tokens.len);
		if (at == NO_MATCH)
			return NO_MATCH;
		at += to - from;
	}
	return at;
}

static int too_much(const struct xb_pattern_job *job, struct xb_error *err)
{
	return xb_error_set(err, -EFBIG, "the pattern \"%.*s\" takes too long to match",
			    XB_VIEW_ARGS(xb_view_sub(job->pattern, 0, 60)));
}

int xb_pattern_trim(const struct xb_pattern_job *job, bool at_end, bool longest, struct xb_str *out,
		    struct xb_error *err)
{
	XB_CLEANUP(matcher_clear) struct matcher m = { 0 };
	size_t end, from, to;
	int r = matcher_init(&m, job, err);

	if (r < 0)
		return r;
	if (at_end) {
		reverse(&m.tokens);
		reverse(&m.value);
	}
	m.first = segment_end(&m, 0);
	end = match_at(&m, 0, longest);
	*job->steps = m.steps;
	if (m.steps == 0)
		return too_much(job, err);
	if (end == NO_MATCH)
		end = 0;
	if (at_end)
		reverse(&m.value);
	from = at_end ? 0 : end;
	to = at_end ? m.value.len - end : m.value.len;
	for (size_t i = from; i < to; i++)
		xb_rune_append(out, m.value.items[i]);
	return 0;
}

/*
 * As regular expression libraries replace all: an empty match right behind a match does not count,
 * but one between two characters does.
 */
int xb_pattern_replace(const struct xb_pattern_job *job, struct xb_view replacement, bool all,
		       struct xb_str *out, struct xb_error *err)
{
	XB_CLEANUP(matcher_clear) struct matcher m = { 0 };
	size_t done = 0, at = 0;
	int r = matcher_init(&m, job, err);

	if (r < 0)
		return r;
	m.first = segment_end(&m, 0);
	while (at <= m.value.len && m.steps > 0) {
		size_t end = match_at(&m, at, true);

		spend(&m, 1);

		if (end == NO_MATCH && m.tokens.len > 0 && m.tokens.items[0] == TOKEN_STAR) {
			/* what fails from here fails from anywhere in this line */
			at = star_reach(&m, at) + 1;
			continue;
		}
		if (end == NO_MATCH || (end == at && at == done && at != 0)) {
			at++;
			continue;
		}
		for (; done < at; done++)
			xb_rune_append(out, m.value.items[done]);
		(void)xb_str_append_view(out, replacement);
		done = end;
		at = end > at ? end : at + 1;
		if (!all)
			break;
	}
	*job->steps = m.steps;
	if (m.steps == 0)
		return too_much(job, err);
	for (; done < m.value.len; done++)
		xb_rune_append(out, m.value.items[done]);
	return 0;
}
