/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/instruction.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define END_OF_FLAGS                                                                               \
	{                                                                                          \
		.name = NULL                                                                       \
	}

static const struct xb_flag_rule no_flags[] = { END_OF_FLAGS };
static const struct xb_flag_rule add_flags[] = {
	{ .name = "chown", .type = XB_FLAG_TEXT },
	{ .name = "chmod", .type = XB_FLAG_TEXT },
	{ .name = "link", .type = XB_FLAG_BOOL },
	{ .name = "exclude", .type = XB_FLAG_LIST },
	{ .name = "checksum", .type = XB_FLAG_TEXT },
	{ .name = "keep-git-dir", .type = XB_FLAG_BOOL },
	{ .name = "unpack", .type = XB_FLAG_BOOL },
	END_OF_FLAGS,
};
static const struct xb_flag_rule copy_flags[] = {
	{ .name = "from", .type = XB_FLAG_TEXT },
	{ .name = "chown", .type = XB_FLAG_TEXT },
	{ .name = "chmod", .type = XB_FLAG_TEXT },
	{ .name = "link", .type = XB_FLAG_BOOL },
	{ .name = "exclude", .type = XB_FLAG_LIST },
	{ .name = "parents", .type = XB_FLAG_BOOL },
	END_OF_FLAGS,
};
static const struct xb_flag_rule from_flags[] = {
	{ .name = "platform", .type = XB_FLAG_TEXT },
	END_OF_FLAGS,
};
static const struct xb_flag_rule healthcheck_flags[] = {
	{ .name = "interval", .type = XB_FLAG_TEXT },
	{ .name = "timeout", .type = XB_FLAG_TEXT },
	{ .name = "start-period", .type = XB_FLAG_TEXT },
	{ .name = "start-interval", .type = XB_FLAG_TEXT },
	{ .name = "retries", .type = XB_FLAG_TEXT },
	END_OF_FLAGS,
};
static const struct xb_flag_rule run_flags[] = {
	{ .name = "mount", .type = XB_FLAG_LIST },
	{ .name = "network", .type = XB_FLAG_TEXT },
	{ .name = "security", .type = XB_FLAG_TEXT },
	{ .name = "device", .type = XB_FLAG_LIST },
	END_OF_FLAGS,
};

static const struct xb_instruction_rule rules[XB_INSTRUCTION_COUNT] = {
	[XB_INSTRUCTION_ADD] = { .name = "ADD",
				 .operands = XB_OPERANDS_LIST,
				 .min = 2,
				 .flags = add_flags,
				 .trigger = true,
				 .layer = true,
				 .heredoc = true },
	[XB_INSTRUCTION_ARG] = { .name = "ARG",
				 .operands = XB_OPERANDS_NAMES,
				 .min = 1,
				 .flags = no_flags,
				 .trigger = true },
	[XB_INSTRUCTION_CMD] = { .name = "CMD",
				 .operands = XB_OPERANDS_COMMAND,
				 .flags = no_flags,
				 .trigger = true },
	[XB_INSTRUCTION_COPY] = { .name = "COPY",
				  .operands = XB_OPERANDS_LIST,
				  .min = 2,
				  .flags = copy_flags,
				  .trigger = true,
				  .layer = true,
				  .heredoc = true },
	[XB_INSTRUCTION_ENTRYPOINT] = { .name = "ENTRYPOINT",
					.operands = XB_OPERANDS_COMMAND,
					.flags = no_flags,
					.trigger = true },
	[XB_INSTRUCTION_ENV] = { .name = "ENV",
				 .operands = XB_OPERANDS_PAIRS,
				 .min = 1,
				 .flags = no_flags,
				 .trigger = true },
	[XB_INSTRUCTION_EXPOSE] = { .name = "EXPOSE",
				    .operands = XB_OPERANDS_WORDS,
				    .min = 1,
				    .flags = no_flags,
				    .trigger = true },
	[XB_INSTRUCTION_FROM] = { .name = "FROM",
				  .operands = XB_OPERANDS_WORDS,
				  .min = 1,
				  .max = 3,
				  .flags = from_flags },
	[XB_INSTRUCTION_HEALTHCHECK] = { .name = "HEALTHCHECK",
					 .operands = XB_OPERANDS_HEALTHCHECK,
					 .min = 1,
					 .flags = healthcheck_flags,
					 .trigger = true },
	[XB_INSTRUCTION_LABEL] = { .name = "LABEL",
				   .operands = XB_OPERANDS_PAIRS,
				   .min = 1,
				   .flags = no_flags,
				   .trigger = true },
	[XB_INSTRUCTION_MAINTAINER] = { .name = "MAINTAINER",
					.operands = XB_OPERANDS_TEXT,
					.min = 1,
					.max = 1,
					.flags = no_flags },
	[XB_INSTRUCTION_ONBUILD] = { .name = "ONBUILD",
				     .operands = XB_OPERANDS_INSTRUCTION,
				     .flags = no_flags },
	[XB_INSTRUCTION_RUN] = { .name = "RUN",
				 .operands = XB_OPERANDS_COMMAND,
				 .flags = run_flags,
				 .trigger = true,
				 .layer = true,
				 .heredoc = true },
	[XB_INSTRUCTION_SHELL] = { .name = "SHELL",
				   .operands = XB_OPERANDS_COMMAND,
				   .min = 1,
				   .flags = no_flags,
				   .trigger = true },
	[XB_INSTRUCTION_STOPSIGNAL] = { .name = "STOPSIGNAL",
					.operands = XB_OPERANDS_TEXT,
					.min = 1,
					.max = 1,
					.flags = no_flags,
					.trigger = true },
	[XB_INSTRUCTION_USER] = { .name = "USER",
				  .operands = XB_OPERANDS_TEXT,
				  .min = 1,
				  .max = 1,
				  .flags = no_flags,
				  .trigger = true },
	[XB_INSTRUCTION_VOLUME] = { .name = "VOLUME",
				    .operands = XB_OPERANDS_LIST,
				    .min = 1,
				    .flags = no_flags,
				    .trigger = true },
	[XB_INSTRUCTION_WORKDIR] = { .name = "WORKDIR",
				     .operands = XB_OPERANDS_TEXT,
				     .min = 1,
				     .max = 1,
				     .flags = no_flags,
				     .trigger = true,
				     .layer = true },
};

const struct xb_instruction_rule *xb_instruction_rule(enum xb_instruction_kind kind)
{
	return &rules[kind];
}

const char *xb_instruction_name(enum xb_instruction_kind kind)
{
	return rules[kind].name;
}

bool xb_instruction_find(struct xb_view name, enum xb_instruction_kind *ret)
{
	for (unsigned kind = 0; kind < XB_INSTRUCTION_COUNT; kind++) {
		if (!xb_view_eq_nocase(name, xb_view(rules[kind].name)))
			continue;
		*ret = (enum xb_instruction_kind)kind;
		return true;
	}
	return false;
}

#define NEAR_MAX 16

static char upper(char c)
{
	return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Insertions, deletions, changes and swaps of neighbours that make one name of the other. */
static size_t distance(struct xb_view a, struct xb_view b)
{
	size_t cost[NEAR_MAX + 1][NEAR_MAX + 1];

	for (size_t i = 0; i <= a.len; i++)
		for (size_t j = 0; j <= b.len; j++) {
			bool same;

			if (i == 0 || j == 0) {
				cost[i][j] = i + j;
				continue;
			}
			same = upper(a.data[i - 1]) == upper(b.data[j - 1]);
			cost[i][j] = least(cost[i - 1][j] + 1, cost[i][j - 1] + 1,
					   cost[i - 1][j - 1] + (same ? 0 : 1));
			if (i > 1 && j > 1 && upper(a.data[i - 1]) == upper(b.data[j - 2]) &&
			    upper(a.data[i - 2]) == upper(b.data[j - 1]))
				cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1, SIZE_MAX);
		}
	return cost[a.len][b.len];
}

/* The name that is nearest so far, and how near that is. */
struct nearest {
	const char *name;
	size_t distance;
};

static void try_nearest(struct nearest *nearest, struct xb_view name, const char *candidate)
{
	struct xb_view other = xb_view(candidate);
	size_t d = other.len <= NEAR_MAX ? distance(name, other) : SIZE_MAX;

	if (d >= nearest->distance)
		return;
	nearest->name = candidate;
	nearest->distance = d;
}

const char *xb_instruction_nearest(struct xb_view name)
{
	struct nearest nearest = { .name = NULL, .distance = name.len > 4 ? 4 : 3 };

	if (name.len < 2 || name.len > NEAR_MAX)
		return NULL;
	for (unsigned kind = 0; kind < XB_INSTRUCTION_COUNT; kind++)
		try_nearest(&nearest, name, rules[kind].name);
	return nearest.name;
}

const char *xb_flag_rule_nearest(enum xb_instruction_kind kind, const char *name)
{
	struct xb_view view = xb_view(name);
	struct nearest nearest = { .name = NULL, .distance = 3 };

	if (view.len < 2 || view.len > NEAR_MAX)
		return NULL;
	for (const struct xb_flag_rule *rule = rules[kind].flags; rule->name != NULL; rule++)
		try_nearest(&nearest, view, rule->name);
	return nearest.name;
}

const char *xb_name_nearest(struct xb_view name, const char *const *candidates)
{
	struct nearest nearest = { .name = NULL, .distance = 3 };

	if (name.len < 2 || name.len > NEAR_MAX)
		return NULL;
	for (size_t i = 0; candidates[i] != NULL; i++)
		try_nearest(&nearest, name, candidates[i]);
	return nearest.name;
}

const struct xb_flag_rule *xb_flag_rule_find(enum xb_instruction_kind kind, const char *name)
{
	for (const struct xb_flag_rule *rule = rules[kind].flags; rule->name != NULL; rule++)
		if (strcmp(rule->name, name) == 0)
			return rule;
	return NULL;
}

const struct xb_flag *xb_instruction_flag(const struct xb_instruction *instruction,
					  const char *name)
{
	for (size_t i = 0; i < instruction->flag_count; i++)
		if (strcmp(instruction->flags[i].name, name) == 0)
			return &instruction->flags[i];
	return NULL;
}

const char *xb_instruction_flag_value(const struct xb_instruction *instruction, const char *name)
{
	const struct xb_flag *flag = xb_instruction_flag(instruction, name);

	return flag != NULL ? flag->value : NULL;
}

bool xb_instruction_flag_bool(const struct xb_instruction *instruction, const char *name)
{
	const struct xb_flag *flag = xb_instruction_flag(instruction, name);

	return flag != NULL && (flag->value == NULL || strcasecmp(flag->value, "false") != 0);
}
