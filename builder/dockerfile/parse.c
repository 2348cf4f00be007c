/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/parse.h"

#include <errno.h>
#include <string.h>

#include "base/array.h"
#include "builder/dockerfile/check.h"
#include "builder/dockerfile/heredoc.h"
#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/json_array.h"
#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/line.h"
#include "builder/dockerfile/location.h"
#include "builder/dockerfile/words.h"

struct pair_list XB_ARRAY(struct xb_pair);
struct instruction_list XB_ARRAY(struct xb_instruction);

/* The lists are scratch space, used anew for each instruction. */
struct parser {
	struct xb_dockerfile *dockerfile;
	struct xb_line_reader reader;
	struct xb_line line;
	struct xb_word_list words;
	struct xb_flag_list flags;
	struct pair_list pairs;
	struct xb_heredoc_list heredocs;
	struct instruction_list instructions;
	bool check;    /* each instruction as it comes, so that the first error is the one told */
	bool in_stage; /* a FROM has been read */
};

static int parse_instruction(struct parser *p, struct xb_operand_text text, bool trigger,
			     struct xb_instruction *ret, struct xb_error *err);

static void parser_clear(struct parser *p)
{
	xb_line_clear(&p->line);
	xb_array_clear(&p->words);
	xb_array_clear(&p->flags);
	xb_array_clear(&p->pairs);
	xb_array_clear(&p->heredocs);
	xb_array_clear(&p->instructions);
}

/* A list's elements in memory that lives as long as the tree. */
static void *keep(struct parser *p, const void *items, size_t count, size_t size)
{
	void *copy;

	if (count == 0)
		return NULL;
	copy = xb_arena_alloc(p->dockerfile->arena, count, size);
	memcpy(copy, items, count * size);
	return copy;
}

static void keep_words(struct parser *p, struct xb_instruction *ret)
{
	ret->words = keep(p, p->words.items, p->words.len, sizeof(*p->words.items));
	ret->word_count = p->words.len;
}

static void keep_pairs(struct parser *p, struct xb_instruction *ret)
{
	ret->pairs = keep(p, p->pairs.items, p->pairs.len, sizeof(*p->pairs.items));
	ret->pair_count = p->pairs.len;
}

/* Operands, one function a form. `text` is trimmed and has no flags any more. */

static int parse_text(struct parser *p, struct xb_operand_text *text, struct xb_instruction *ret,
		      struct xb_error *err)
{
	(void)err;
	if (text->from < text->to)
		*xb_array_push(&p->words) = xb_operand_word(text, text->from, text->to);
	keep_words(p, ret);
	return 0;
}

static int parse_words(struct parser *p, struct xb_operand_text *text, struct xb_instruction *ret,
		       struct xb_error *err)
{
	(void)err;
	xb_operand_split(text, &p->words);
	keep_words(p, ret);
	return 0;
}

/* Read a JSON array if the text is one: 1, else 0. */
static int parse_json(struct parser *p, struct xb_operand_text *text, struct xb_instruction *ret,
		      struct xb_error *err)
{
	enum xb_json_array form = xb_json_array_read(text, &p->words);

	if (form == XB_JSON_ARRAY_OTHER)
		return xb_location_error(p->dockerfile,
					 xb_line_at(text->line, text->from, text->to), err,
					 "when using JSON array syntax, arrays must be comprised "
					 "of strings only");
	ret->json = form == XB_JSON_ARRAY_STRINGS;
	if (ret->json)
		keep_words(p, ret);
	return ret->json ? 1 : 0;
}

static int parse_list(struct parser *p, struct xb_operand_text *text, struct xb_instruction *ret,
		      struct xb_error *err)
{
	int r = parse_json(p, text, ret, err);

	if (r != 0)
		return r < 0 ? r : 0;
	return parse_words(p, text, ret, err);
}

static int parse_command(struct parser *p, struct xb_operand_text *text, struct xb_instruction *ret,
			 struct xb_error *err)
{
	int r = parse_json(p, text, ret, err);

	if (r != 0)
		return r < 0 ? r : 0;
	return parse_text(p, text, ret, err);
}

static int parse_healthcheck(struct parser *p, struct xb_operand_text *text,
			     struct xb_instruction *ret, struct xb_error *err)
{
	size_t end = xb_operand_blank(text, text->from);

	if (text->from == text->to)
		return 0;
	*xb_array_push(&p->words) = xb_operand_word(text, text->from, end);
	text->from = end;
	xb_operand_trim(text);
	return parse_command(p, text, ret, err);
}

/* The part [from, to) of a word without quotes or escapes added or removed. */
static struct xb_word part(const struct parser *p, struct xb_word word, size_t from, size_t to)
{
	struct xb_location at = word.at;

	at.column += (uint32_t)from;
	return (struct xb_word){ .text = xb_arena_dup(
					 p->dockerfile->arena,
					 xb_view_sub(xb_view(word.text), from, to - from)),
				 .len = to - from,
				 .at = at };
}

static bool push_pair(struct parser *p, struct xb_word word)
{
	const char *equals = strchr(word.text, '=');
	size_t pos = equals != NULL ? (size_t)(equals - word.text) : word.len;
	struct xb_pair *pair = xb_array_push(&p->pairs);

	*pair = (struct xb_pair){ .name = part(p, word, 0, pos) };
	if (equals != NULL)
		pair->value = part(p, word, pos + 1, word.len);
	return equals != NULL;
}

/* NAME VALUE: the value is the rest of the line as it is. */
static int parse_legacy_pair(struct parser *p, struct xb_operand_text *text,
			     struct xb_instruction *ret, struct xb_error *err)
{
	size_t end = xb_operand_blank(text, text->from);
	size_t value = xb_operand_solid(text, end);
	int r;

	if (value >= text->to) {
		r = xb_location_error(p->dockerfile, xb_line_at(text->line, text->from, end), err,
				      "%s must have two arguments", xb_instruction_name(ret->kind));
		(void)xb_error_hint(err, "write %s NAME=VALUE", xb_instruction_name(ret->kind));
		return r;
	}
	*xb_array_push(&p->pairs) =
		(struct xb_pair){ .name = xb_operand_word(text, text->from, end),
				  .value = xb_operand_word(text, value, text->to) };
	ret->legacy = true;
	keep_pairs(p, ret);
	return 0;
}

static int parse_pairs(struct parser *p, struct xb_operand_text *text, struct xb_instruction *ret,
		       struct xb_error *err)
{
	xb_operand_split_quoted(text, &p->words);
	if (p->words.len == 0)
		return 0;
	if (strchr(p->words.items[0].text, '=') == NULL)
		return parse_legacy_pair(p, text, ret, err);
	for (size_t i = 0; i < p->words.len; i++)
		if (!push_pair(p, p->words.items[i]))
			return xb_location_error(p->dockerfile, p->words.items[i].at, err,
						 "can't find = in \"%s\". Must be of the form: "
						 "name=value",
						 p->words.items[i].text);
	keep_pairs(p, ret);
	return 0;
}

static int parse_names(struct parser *p, struct xb_operand_text *text, struct xb_instruction *ret,
		       struct xb_error *err)
{
	(void)err;
	xb_operand_split_quoted(text, &p->words);
	for (size_t i = 0; i < p->words.len; i++)
		(void)push_pair(p, p->words.items[i]);
	keep_pairs(p, ret);
	return 0;
}

static int parse_trigger(struct parser *p, struct xb_operand_text *text, struct xb_instruction *ret,
			 struct xb_error *err)
{
	struct xb_instruction *child;

	if (text->from == text->to)
		return 0;
	child = xb_arena_alloc(p->dockerfile->arena, 1, sizeof(*child));
	ret->child = child;
	return parse_instruction(p, *text, true, child, err);
}

/* Instructions. */

static int find_kind(struct parser *p, struct xb_word name, bool trigger,
		     enum xb_instruction_kind *ret, struct xb_error *err)
{
	const char *nearest;
	int r;

	if (!xb_instruction_find(xb_view(name.text), ret)) {
		nearest = xb_instruction_nearest(xb_view(name.text));
		r = xb_location_error(p->dockerfile, name.at, err, "unknown instruction: %.*s",
				      XB_VIEW_ARGS(xb_view_sub(xb_view(name.text), 0, 80)));
		if (nearest != NULL)
			(void)xb_error_hint(err, "did you mean %s?", nearest);
		return r;
	}
	if (trigger && *ret == XB_INSTRUCTION_ONBUILD)
		return xb_location_error(p->dockerfile, name.at, err,
					 "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	return 0;
}

static void keep_flags(struct parser *p, struct xb_operand_text *text, struct xb_instruction *ret)
{
	p->flags.len = 0;
	xb_operand_take_flags(text, &p->flags);
	ret->flags = keep(p, p->flags.items, p->flags.len, sizeof(*p->flags.items));
	ret->flag_count = p->flags.len;
}

static int parse_instruction(struct parser *p, struct xb_operand_text text, bool trigger,
			     struct xb_instruction *ret, struct xb_error *err)
{
	static int (*const forms[])(struct parser *, struct xb_operand_text *,
				    struct xb_instruction *, struct xb_error *) = {
		[XB_OPERANDS_TEXT] = parse_text,
		[XB_OPERANDS_WORDS] = parse_words,
		[XB_OPERANDS_LIST] = parse_list,
		[XB_OPERANDS_COMMAND] = parse_command,
		[XB_OPERANDS_PAIRS] = parse_pairs,
		[XB_OPERANDS_NAMES] = parse_names,
		[XB_OPERANDS_HEALTHCHECK] = parse_healthcheck,
		[XB_OPERANDS_INSTRUCTION] = parse_trigger,
	};
	struct xb_word whole, name;
	size_t end;
	int r;

	xb_operand_trim(&text);
	whole = xb_operand_word(&text, text.from, text.to);
	end = xb_operand_blank(&text, text.from);
	name = xb_operand_word(&text, text.from, end);
	*ret = (struct xb_instruction){ .at = whole.at,
					.keyword = name.text,
					.source = whole.text };
	r = find_kind(p, name, trigger, &ret->kind, err);
	if (r < 0)
		return r;
	text.from = end;
	keep_flags(p, &text, ret);
	xb_operand_trim(&text);
	p->words.len = 0;
	p->pairs.len = 0;
	return forms[xb_instruction_rule(ret->kind)->operands](p, &text, ret, err);
}

/* Here-documents belong to the instruction that a line ends up in, an ONBUILD's trigger too. */
static int parse_heredocs(struct parser *p, struct xb_instruction *instruction,
			  struct xb_error *err)
{
	struct xb_instruction *owner = instruction;
	int r;

	p->heredocs.len = 0;
	if (instruction->child != NULL)
		/* the arena's memory is ours until parsing ends */
		owner = (struct xb_instruction *)(uintptr_t)instruction->child;
	if (!xb_instruction_rule(owner->kind)->heredoc || owner->json)
		return 0;
	r = xb_heredoc_find(&p->line, p->dockerfile->arena, &p->heredocs, err);
	if (r < 0)
		return xb_location_wrap(p->dockerfile, instruction->at, err), r;
	for (size_t i = 0; i < p->heredocs.len; i++) {
		struct xb_heredoc *heredoc = &p->heredocs.items[i];

		if (xb_heredoc_read(&p->reader, heredoc) == 0)
			return xb_location_error(p->dockerfile, heredoc->at, err,
						 "unterminated heredoc: no line \"%s\" follows",
						 heredoc->name);
	}
	owner->heredocs = keep(p, p->heredocs.items, p->heredocs.len, sizeof(*p->heredocs.items));
	owner->heredoc_count = p->heredocs.len;
	if (p->heredocs.len > 0) {
		instruction->at.end_line = p->reader.number;
		owner->at.end_line = p->reader.number;
	}
	return 0;
}

static void keep_comments(struct parser *p, struct xb_instruction *ret)
{
	const struct xb_comments *comments = &p->line.comments;

	ret->comments = keep(p, comments->items, comments->len, sizeof(*comments->items));
	ret->comment_count = comments->len;
	ret->blank_line = p->line.blank;
	ret->blank_end = p->line.blank > 0 ? p->reader.number : 0;
}

static int parse_line(struct parser *p, struct xb_error *err)
{
	struct xb_operand_text text = { .line = &p->line,
					.from = 0,
					.to = p->line.text.len,
					.arena = p->dockerfile->arena,
					.escape = p->dockerfile->directives.escape };
	struct xb_instruction instruction;
	int r;

	xb_operand_trim(&text);
	if (text.from == text.to)
		return 0;
	r = parse_instruction(p, text, false, &instruction, err);
	if (r == 0) {
		keep_comments(p, &instruction);
		r = parse_heredocs(p, &instruction, err);
	}
	if (r == 0 && p->check)
		r = xb_dockerfile_check_instruction(p->dockerfile, &instruction, p->in_stage, err);
	if (r < 0)
		return r;
	p->in_stage = p->in_stage || instruction.kind == XB_INSTRUCTION_FROM;
	*xb_array_push(&p->instructions) = instruction;
	return 0;
}

static int parse_lines(struct parser *p, struct xb_error *err)
{
	bool more;
	int r;

	do {
		r = xb_line_reader_next(&p->reader, &p->line, err);
		more = r > 0;
		if (more)
			r = parse_line(p, err);
	} while (more && r == 0);
	p->dockerfile->instruction_count = p->instructions.len;
	p->dockerfile->instructions = XB_STEAL(p->instructions.items);
	if (r < 0)
		return r;
	if (p->dockerfile->instruction_count == 0) {
		(void)xb_error_set(err, -EINVAL, "%s: file with no instructions",
				   p->dockerfile->path);
		return xb_error_fault(err, XB_FAULT_SOURCE), -EINVAL;
	}
	return 0;
}

/* Files and trees. */

static int check_text(const struct xb_dockerfile *dockerfile, struct xb_error *err)
{
	struct xb_view text = dockerfile->text;
	const char *nul = text.len > 0 ? memchr(text.data, 0, text.len) : NULL;
	struct xb_location at = { .line = 1, .column = 1 };
	int r;

	if (nul == NULL)
		return 0;
	for (const char *c = text.data; c < nul; c++) {
		at.column++;
		if (*c != '\n')
			continue;
		at.line++;
		at.column = 1;
	}
	at.end_line = at.line;
	r = xb_location_error(dockerfile, at, err, "a NUL byte: this is not a text file");
	(void)xb_error_hint(err, "save the Dockerfile as UTF-8");
	return r;
}

static struct xb_dockerfile *dockerfile_new(struct xb_view text, const char *path)
{
	struct xb_arena *arena = xb_arena_new();
	struct xb_dockerfile *dockerfile = xb_arena_alloc(arena, 1, sizeof(*dockerfile));

	if (xb_view_starts(text, XB_VIEW("\xEF\xBB\xBF")))
		text = xb_view_sub(text, 3, text.len);
	dockerfile->arena = arena;
	dockerfile->path = xb_arena_dup(arena, xb_view(path));
	dockerfile->text = (struct xb_view){ xb_arena_dup(arena, text), text.len };
	return dockerfile;
}

/* Parse `dockerfile->text`; whatever the result, the tree holds what stands before a fault. */
static int parse_tree(struct xb_dockerfile *dockerfile, bool check, struct xb_error *err)
{
	XB_CLEANUP(parser_clear) struct parser p = { .line = XB_LINE_INIT, .check = check };
	int r = check_text(dockerfile, err);

	if (r < 0)
		return r;
	p.dockerfile = dockerfile;
	p.reader = xb_line_reader_init(dockerfile);
	return parse_lines(&p, err);
}

static int check_size(struct xb_view text, const char *path, struct xb_error *err)
{
	if (text.len <= XB_MAX_DOCKERFILE)
		return 0;
	(void)xb_error_set(err, -EFBIG, "%s: larger than %zu bytes", path, XB_MAX_DOCKERFILE);
	return xb_error_fault(err, XB_FAULT_SOURCE), -EFBIG;
}

static int parse(struct xb_view text, const char *path, bool check, struct xb_dockerfile **ret,
		 struct xb_error *err)
{
	xb_auto_dockerfile struct xb_dockerfile *dockerfile = NULL;
	int r = check_size(text, path, err);

	if (r < 0)
		return r;
	dockerfile = dockerfile_new(text, path);
	r = parse_tree(dockerfile, check, err);
	if (r == 0 && check)
		r = xb_dockerfile_set_stages(dockerfile, err);
	if (r < 0)
		return r;
	*ret = XB_STEAL(dockerfile);
	return 0;
}

int xb_dockerfile_parse_syntax(struct xb_view text, const char *path, struct xb_dockerfile **ret,
			       struct xb_error *err)
{
	return parse(text, path, false, ret, err);
}

int xb_dockerfile_parse(struct xb_view text, const char *path, struct xb_dockerfile **ret,
			struct xb_error *err)
{
	return parse(text, path, true, ret, err);
}

struct xb_dockerfile *xb_dockerfile_parse_part(struct xb_view text, const char *path,
					       struct xb_error *ret_problem)
{
	struct xb_dockerfile *dockerfile;

	int r = check_size(text, path, ret_problem);

	dockerfile = dockerfile_new(r < 0 ? XB_VIEW("") : text, path);
	if (r == 0)
		r = parse_tree(dockerfile, true, ret_problem);
	(void)xb_dockerfile_set_stages(dockerfile, r < 0 ? NULL : ret_problem);
	dockerfile->part = r < 0 || dockerfile->stage_count == 0;
	return dockerfile;
}

void xb_dockerfile_free(struct xb_dockerfile *dockerfile)
{
	if (dockerfile == NULL)
		return;
	/* ours alone, though it is shown to others as constant */
	free((void *)(uintptr_t)dockerfile->instructions);
	xb_arena_free(dockerfile->arena);
}
