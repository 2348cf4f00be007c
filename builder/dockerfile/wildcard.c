/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/wildcard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/text.h"

void xb_wild_clear(struct xb_wild *wild)
{
	xb_array_clear(&wild->elements);
	xb_array_clear(&wild->ranges);
	xb_str_clear(&wild->head);
	xb_str_clear(&wild->tail);
}

/* Compiling. */

struct compiler {
	struct xb_view pattern;
	size_t pos;
	bool deep;
	struct xb_wild *wild;
};

static int peek(const struct compiler *c)
{
	return c->pos < c->pattern.len ? (unsigned char)c->pattern.data[c->pos] : -1;
}

static struct xb_wild_element *push(struct compiler *c, enum xb_wild_kind kind)
{
	struct xb_wild_element *element = xb_array_push(&c->wild->elements);

	*element = (struct xb_wild_element){ .kind = kind };
	return element;
}

/* One character of a class; false where none may stand. */
static bool class_rune(struct compiler *c, uint32_t *ret)
{
	int next = peek(c);

	if (next == '\\') {
		c->pos++;
		next = peek(c);
	} else if (next == '-' || next == ']') {
		return false;
	}
	if (next < 0)
		return false;
	*ret = xb_rune_next(c->pattern, &c->pos);
	return true;
}

/* Behind '['. */
static bool compile_class(struct compiler *c)
{
	struct xb_wild_element *element = push(c, XB_WILD_CLASS);

	element->first = (uint16_t)c->wild->ranges.len;
	if (peek(c) == '^') {
		element->negated = true;
		c->pos++;
	}
	while (peek(c) != ']' || element->count == 0) {
		struct xb_wild_range range;

		if (!class_rune(c, &range.from))
			return false;
		range.to = range.from;
		if (peek(c) == '-') {
			c->pos++;
			if (!class_rune(c, &range.to))
				return false;
		}
		*xb_array_push(&c->wild->ranges) = range;
		element->count++;
	}
	c->pos++;
	return true;
}

/* Whether the rest of the pattern is plain text. */
static bool is_plain_rest(const struct compiler *c)
{
	for (size_t i = c->pos; i < c->pattern.len; i++)
		if (strchr("*?[]\\", c->pattern.data[i]) != NULL)
			return false;
	return true;
}

/*
 * Behind '*'. Two stars stand for directories, the slash behind them included; at the end of the
 * pattern for all there is, and so they do in front of plain text that does not begin with a slash
 * ("**.txt"), but only at the start of the pattern.
 */
static void compile_star(struct compiler *c)
{
	bool start = c->pos == 1;

	if (!c->deep || peek(c) != '*') {
		if (c->wild->elements.len == 0 ||
		    c->wild->elements.items[c->wild->elements.len - 1].kind != XB_WILD_STAR)
			(void)push(c, XB_WILD_STAR);
		return;
	}
	c->pos++;
	if (peek(c) != '/' && start && is_plain_rest(c)) {
		(void)push(c, XB_WILD_ALL);
		return;
	}
	if (peek(c) == '/')
		c->pos++;
	if (peek(c) < 0) {
		(void)push(c, XB_WILD_ALL);
		return;
	}
	(void)push(c, XB_WILD_DIRS);
	(void)push(c, XB_WILD_WITHIN);
}

static bool compile_one(struct compiler *c)
{
	int next = peek(c);

	switch (next) {
	case '*':
		c->pos++;
		compile_star(c);
		return true;
	case '?':
		c->pos++;
		(void)push(c, XB_WILD_ANY);
		return true;
	case '[':
		c->pos++;
		return compile_class(c);
	case '\\':
		if (++c->pos == c->pattern.len)
			return false;
		break;
	default:
		break;
	}
	push(c, XB_WILD_LITERAL)->rune = xb_rune_next(c->pattern, &c->pos);
	return true;
}

/* Note the plain text at both ends: most paths can be told from it not to match. */
static void set_ends(struct xb_wild *wild)
{
	const struct xb_wild_element *items = wild->elements.items;
	size_t len = wild->elements.len, from = len;

	wild->head = XB_STR_INIT(XB_MAX_PATTERN);
	wild->tail = XB_STR_INIT(XB_MAX_PATTERN);
	for (size_t i = 0; i < len && items[i].kind == XB_WILD_LITERAL; i++)
		xb_rune_append(&wild->head, items[i].rune);
	while (from > 0 && items[from - 1].kind == XB_WILD_LITERAL)
		from--;
	for (size_t i = from; i < len; i++)
		xb_rune_append(&wild->tail, items[i].rune);
}

int xb_wild_compile(struct xb_view pattern, bool deep, struct xb_wild *wild, struct xb_error *err)
{
	struct compiler c = { .pattern = pattern, .deep = deep, .wild = wild };

	if (pattern.len > XB_MAX_PATTERN)
		return xb_error_set(err, -EFBIG, "the pattern is longer than %zu bytes",
				    XB_MAX_PATTERN);
	while (c.pos < pattern.len)
		if (!compile_one(&c))
			return xb_error_set(err, -EINVAL, "syntax error in pattern \"%.*s\"",
					    XB_VIEW_ARGS(pattern));
	set_ends(wild);
	return 0;
}

/* Matching. A state is the number of the element that comes next; that of the end is the count. */

struct states {
	uint16_t list[XB_MAX_PATTERN + 2];
	size_t len;
};

struct run {
	const struct xb_wild *wild;
	struct states sets[2];
	struct states *now;
	struct states *next;
	uint16_t seen[XB_MAX_PATTERN + 2]; /* the step in which a state was added last */
	uint16_t step;
};

/* Add a state and those that it leads to without a character. */
static void add(struct run *run, struct states *set, size_t state)
{
	const struct xb_wild_elements *elements = &run->wild->elements;

	for (;;) {
		if (run->seen[state] == run->step)
			return;
		run->seen[state] = run->step;
		set->list[set->len++] = (uint16_t)state;
		if (state == elements->len)
			return;
		if (elements->items[state].kind == XB_WILD_STAR ||
		    elements->items[state].kind == XB_WILD_ALL) {
			state++;
		} else if (elements->items[state].kind == XB_WILD_DIRS) {
			add(run, set, state + 2);
			state++;
		} else {
			return;
		}
	}
}

static bool in_class(const struct xb_wild *wild, const struct xb_wild_element *element,
		     uint32_t rune)
{
	bool found = false;

	for (size_t i = 0; i < element->count && !found; i++) {
		const struct xb_wild_range *range = &wild->ranges.items[element->first + i];

		found = rune >= range->from && rune <= range->to;
	}
	return found != element->negated;
}

/* Take one character in one state. */
static void take(struct run *run, size_t state, uint32_t rune)
{
	const struct xb_wild_element *element = &run->wild->elements.items[state];

	switch (element->kind) {
	case XB_WILD_LITERAL:
		if (rune == element->rune)
			add(run, run->next, state + 1);
		return;
	case XB_WILD_ANY:
		if (rune != '/')
			add(run, run->next, state + 1);
		return;
	case XB_WILD_CLASS:
		if (rune != '/' && in_class(run->wild, element, rune))
			add(run, run->next, state + 1);
		return;
	case XB_WILD_STAR:
		if (rune != '/')
			add(run, run->next, state);
		return;
	case XB_WILD_WITHIN:
		add(run, run->next, state);
		if (rune == '/')
			add(run, run->next, state + 1);
		return;
	case XB_WILD_ALL:
		add(run, run->next, state);
		return;
	case XB_WILD_DIRS:
		return;
	}
}

static void take_all(struct run *run, uint32_t rune)
{
	struct states *before = run->now;

	run->step++;
	run->next->len = 0;
	for (size_t i = 0; i < before->len; i++)
		if (before->list[i] < run->wild->elements.len)
			take(run, before->list[i], rune);
	run->now = run->next;
	run->next = before;
}

static bool at_end(const struct run *run)
{
	return run->seen[run->wild->elements.len] == run->step;
}

/* Whether neither the path nor a directory above it can match, by the ends of the pattern. */
static bool is_ruled_out(const struct xb_wild *wild, struct xb_view path)
{
	if (!xb_view_starts(path, xb_str_view(&wild->head)))
		return true;
	return wild->tail.len > 0 && (path.len == 0 || memmem(path.data, path.len, wild->tail.data,
							      wild->tail.len) == NULL);
}

unsigned xb_wild_match(const struct xb_wild *wild, struct xb_view path, unsigned wanted)
{
	struct run run;
	unsigned result = 0;
	size_t pos = 0;

	if ((wanted & XB_WILD_BELOW) == 0 && is_ruled_out(wild, path))
		return 0;
	run.wild = wild;
	run.now = &run.sets[0];
	run.next = &run.sets[1];
	run.now->len = 0;
	run.step = 1;
	memset(run.seen, 0, (wild->elements.len + 1) * sizeof(run.seen[0]));
	add(&run, run.now, 0);
	while (pos < path.len && run.now->len > 0) {
		if (path.data[pos] == '/' && pos > 0 && at_end(&run))
			result |= XB_WILD_PARENT;
		take_all(&run, xb_rune_next(path, &pos));
	}
	if (pos < path.len)
		return result & wanted;
	if (at_end(&run))
		result |= XB_WILD_WHOLE;
	if (path.len > 0)
		take_all(&run, '/');
	if (run.now->len > 0)
		result |= XB_WILD_BELOW;
	return result & wanted;
}
