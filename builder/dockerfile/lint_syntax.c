/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that need no more than the tree: one function each, over the whole file. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "builder/dockerfile/linter.h"

/* Each instruction `i` of a file, of which there may be none. */
#define EACH_INSTRUCTION(file, i)                                                                  \
	for (const struct xb_instruction *i = (file)->instructions,                                \
					 *end = i != NULL ? i + (file)->instruction_count : NULL;  \
	     i != end; i++)

static bool has_lower(const char *text)
{
	return text[strcspn(text, "abcdefghijklmnopqrstuvwxyz")] != '\0';
}

static bool has_upper(const char *text)
{
	return text[strcspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] != '\0';
}

static bool names_stage(const struct xb_instruction *i)
{
	return i->kind == XB_INSTRUCTION_FROM && i->word_count == 3;
}

/* ---- FROM --------------------------------------------------------------------------------- */

static void check_stage_name_casing(struct xb_linter *linter)
{
	EACH_INSTRUCTION(linter->file, i)
	if (names_stage(i) && has_upper(i->words[2].text))
		xb_linter_report(linter, XB_RULE_STAGE_NAME_CASING, i, i->words[2].at,
				 "Stage name '%s' should be lowercase", i->words[2].text);
}

/* A FROM that is of both cases is another rule's matter. */
static void check_from_as_casing(struct xb_linter *linter)
{
	EACH_INSTRUCTION(linter->file, i)
	{
		bool lower = !has_upper(i->keyword), upper = !has_lower(i->keyword);
		const char *as;

		if (!names_stage(i) || (!lower && !upper))
			continue;
		as = i->words[1].text;
		if (lower ? has_upper(as) : has_lower(as))
			xb_linter_report(linter, XB_RULE_FROM_AS_CASING, i, i->words[1].at,
					 "'%s' and '%s' keywords' casing do not match", as,
					 i->keyword);
	}
}

static void check_duplicate_stage_name(struct xb_linter *linter)
{
	xb_auto_map struct xb_map *names = xb_map_new();

	for (size_t i = 0; i < linter->file->stage_count; i++) {
		const struct xb_stage *stage = &linter->file->stages[i];

		if (stage->name != NULL && xb_map_set(names, xb_view(stage->name), names) != NULL)
			xb_linter_report(
				linter, XB_RULE_DUPLICATE_STAGE_NAME, stage->from,
				stage->from->words[2].at,
				"Duplicate stage name \"%s\", stage names should be unique",
				stage->name);
	}
}

static void check_reserved_stage_name(struct xb_linter *linter)
{
	for (size_t i = 0; i < linter->file->stage_count; i++) {
		const struct xb_stage *stage = &linter->file->stages[i];

		if (stage->name == NULL ||
		    (strcmp(stage->name, "scratch") != 0 && strcmp(stage->name, "context") != 0))
			continue;
		xb_linter_report(linter, XB_RULE_RESERVED_STAGE_NAME, stage->from,
				 stage->from->words[2].at,
				 "Stage name should not use the same name as reserved stage \"%s\"",
				 stage->name);
	}
}

/* ---- any instruction ---------------------------------------------------------------------- */

/* What people rely on is told by the line that the instruction ends on. */
static void check_no_empty_continuation(struct xb_linter *linter)
{
	EACH_INSTRUCTION(linter->file, i)
	{
		size_t before = linter->lint->findings.len;
		struct xb_finding *finding;

		if (i->blank_line == 0)
			continue;
		xb_linter_report(linter, XB_RULE_NO_EMPTY_CONTINUATION, i,
				 (struct xb_location){ i->blank_line, 1, i->blank_line },
				 "Empty continuation line");
		if (linter->lint->findings.len == before)
			continue;
		finding = &linter->lint->findings.items[before];
		finding->first_line = finding->last_line = i->blank_end;
	}
}

static void check_maintainer_deprecated(struct xb_linter *linter)
{
	EACH_INSTRUCTION(linter->file, i)
	if (i->kind == XB_INSTRUCTION_MAINTAINER)
		xb_linter_report(linter, XB_RULE_MAINTAINER_DEPRECATED, i, i->at,
				 "Maintainer instruction is deprecated in favor of using label");
}

/* What is written in one case gives its vote; ARG in front of the first FROM has none. */
static void check_consistent_instruction_casing(struct xb_linter *linter)
{
	const struct xb_dockerfile *file = linter->file;
	size_t lower = 0, upper = 0;
	bool mostly_lower;

	for (size_t i = file->arg_count; i < file->instruction_count; i++) {
		const char *keyword = file->instructions[i].keyword;

		lower += !has_upper(keyword);
		upper += !has_lower(keyword);
	}
	mostly_lower = lower > upper;
	for (size_t i = file->arg_count; i < file->instruction_count; i++) {
		const struct xb_instruction *it = &file->instructions[i];

		if (mostly_lower ? has_upper(it->keyword) : has_lower(it->keyword))
			xb_linter_report(
				linter, XB_RULE_CONSISTENT_INSTRUCTION_CASING, it, it->at,
				"Command '%s' should match the case of the command majority (%s)",
				it->keyword, mostly_lower ? "lowercase" : "uppercase");
	}
}

/* ---- descriptions ------------------------------------------------------------------------- */

/* The comment right above an instruction, or NULL. */
static const struct xb_comment *comment_above(const struct xb_instruction *i)
{
	uint32_t line = i->at.line;

	for (size_t c = i->comment_count; c > 0; c--) {
		const struct xb_comment *comment = &i->comments[c - 1];
		struct xb_view options;

		if (comment->line + 1 != line)
			return NULL;
		if (!xb_linter_is_option(comment, &options))
			return comment;
		line = comment->line;
	}
	return NULL;
}

static bool describes(const struct xb_comment *comment, struct xb_view name)
{
	struct xb_view rest = comment->text, word;

	return xb_view_split(&rest, ' ', &word) && xb_view_eq(word, name);
}

static void check_arg_description(struct xb_linter *linter, const struct xb_instruction *i,
				  const struct xb_comment *comment)
{
	for (size_t p = 0; p < i->pair_count; p++)
		if (describes(comment, xb_view(i->pairs[p].name.text)))
			return;
	xb_linter_report(linter, XB_RULE_INVALID_DEFINITION_DESCRIPTION, i, i->at,
			 "Comment for ARG should follow the format: `# %s <description>`",
			 i->pair_count == 1 ? i->pairs[0].name.text : "<arg_key>");
}

static void check_from_description(struct xb_linter *linter, const struct xb_instruction *i,
				   const struct xb_comment *comment)
{
	xb_autofree char *name = xb_strdup(i->words[2].text);

	for (char *c = name; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	if (!describes(comment, xb_view(name)))
		xb_linter_report(linter, XB_RULE_INVALID_DEFINITION_DESCRIPTION, i, i->at,
				 "Comment for FROM should follow the format: `# %s <description>`",
				 name);
}

static void check_invalid_definition_description(struct xb_linter *linter)
{
	EACH_INSTRUCTION(linter->file, i)
	{
		bool arg = i->kind == XB_INSTRUCTION_ARG && i->pair_count > 0;
		const struct xb_comment *comment;

		if (!arg && !names_stage(i))
			continue;
		comment = comment_above(i);
		if (comment == NULL)
			continue;
		if (arg)
			check_arg_description(linter, i, comment);
		else
			check_from_description(linter, i, comment);
	}
}

/* ---- all ---------------------------------------------------------------------------------- */

void xb_linter_syntax(struct xb_linter *linter)
{
	static const struct {
		void (*check)(struct xb_linter *);
		bool whole; /* says something of the file as a whole */
	} checks[] = {
		{ check_stage_name_casing, false },
		{ check_from_as_casing, false },
		{ check_no_empty_continuation, false },
		{ check_maintainer_deprecated, false },
		{ check_invalid_definition_description, false },
		{ check_consistent_instruction_casing, true },
		{ check_duplicate_stage_name, true },
		{ check_reserved_stage_name, true },
	};

	for (size_t i = 0; i < XB_COUNT(checks); i++)
		if (!checks[i].whole || !linter->file->part)
			checks[i].check(linter);
}
