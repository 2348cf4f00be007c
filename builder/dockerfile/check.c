/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/check.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "builder/dockerfile/device.h"
#include "builder/dockerfile/heredoc.h"
#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/location.h"
#include "builder/dockerfile/mount.h"
#include "builder/dockerfile/text.h"

struct stages XB_ARRAY(struct xb_stage);

static void stages_clear(struct stages *stages)
{
	xb_array_clear(stages);
}

/* Flags. */

static int check_flag(const struct xb_dockerfile *dockerfile, const struct xb_flag_rule *rule,
		      const struct xb_flag *flag, struct xb_error *err)
{
	if (rule->type == XB_FLAG_BOOL) {
		if (flag->value == NULL || strcasecmp(flag->value, "true") == 0 ||
		    strcasecmp(flag->value, "false") == 0)
			return 0;
		return xb_location_error(dockerfile, flag->at, err,
					 "expecting boolean value for flag --%s, not: %s",
					 flag->name, flag->value);
	}
	if (flag->value == NULL)
		return xb_location_error(dockerfile, flag->at, err, "missing a value on flag: --%s",
					 flag->name);
	return 0;
}

static void hint_flags(enum xb_instruction_kind kind, const char *name, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	const struct xb_flag_rule *rule = xb_instruction_rule(kind)->flags;
	const char *nearest = xb_flag_rule_nearest(kind, name);

	if (nearest != NULL) {
		(void)xb_error_hint(err, "did you mean --%s?", nearest);
		return;
	}
	if (rule->name == NULL) {
		(void)xb_error_hint(err, "%s has no flags", xb_instruction_name(kind));
		return;
	}
	for (; rule->name != NULL; rule++)
		(void)xb_str_printf(&text, " --%s", rule->name);
	(void)xb_error_hint(err, "the flags of %s are:%s", xb_instruction_name(kind),
			    xb_str_text(&text));
}

static int check_flags(const struct xb_dockerfile *dockerfile,
		       const struct xb_instruction *instruction, struct xb_error *err)
{
	const struct xb_flag_rule *rules = xb_instruction_rule(instruction->kind)->flags;
	unsigned seen = 0;

	for (size_t i = 0; i < instruction->flag_count; i++) {
		const struct xb_flag *flag = &instruction->flags[i];
		const struct xb_flag_rule *rule = xb_flag_rule_find(instruction->kind, flag->name);
		unsigned bit;
		int r;

		if (rule == NULL) {
			r = xb_location_error(dockerfile, flag->at, err, "unknown flag: --%s",
					      flag->name);
			hint_flags(instruction->kind, flag->name, err);
			return r;
		}
		bit = 1u << (rule - rules);
		if ((seen & bit) != 0 && rule->type != XB_FLAG_LIST)
			return xb_location_error(dockerfile, flag->at, err,
						 "duplicate flag specified: --%s", flag->name);
		seen |= bit;
		r = check_flag(dockerfile, rule, flag, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Operands. */

static int check_count(const struct xb_dockerfile *dockerfile,
		       const struct xb_instruction *instruction, struct xb_error *err)
{
	const struct xb_instruction_rule *rule = xb_instruction_rule(instruction->kind);
	size_t count = instruction->word_count + instruction->pair_count;
	const char *what = "at least one argument";

	if (count >= rule->min && (rule->max == 0 || count <= rule->max))
		return 0;
	if (instruction->kind == XB_INSTRUCTION_FROM)
		what = "either one or three arguments";
	else if (rule->max == 1)
		what = "exactly one argument";
	else if (rule->min == 2)
		what = "at least two arguments: the sources and, last, the destination";
	return xb_location_error(dockerfile, instruction->at, err, "%s requires %s", rule->name,
				 what);
}

static bool is_stage_name(const char *name)
{
	if (!(name[0] >= 'a' && name[0] <= 'z'))
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(name);
}

static char *lower(struct xb_arena *arena, const char *text)
{
	char *copy = xb_arena_dup(arena, xb_view(text));

	for (char *c = copy; *c != 0; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return copy;
}

static int check_from(const struct xb_dockerfile *dockerfile,
		      const struct xb_instruction *instruction, struct xb_error *err)
{
	const struct xb_word *words = instruction->words;

	if (instruction->word_count == 1)
		return 0;
	if (instruction->word_count != 3 || strcasecmp(words[1].text, "as") != 0)
		return xb_location_error(dockerfile, words[1].at, err,
					 "FROM requires either one or three arguments: "
					 "IMAGE, or IMAGE AS NAME");
	if (!is_stage_name(lower(dockerfile->arena, words[2].text)))
		return xb_location_error(dockerfile, words[2].at, err,
					 "invalid name for build stage: \"%s\", name can't start "
					 "with a number or contain symbols",
					 words[2].text);
	return 0;
}

static int check_pairs(const struct xb_dockerfile *dockerfile,
		       const struct xb_instruction *instruction, struct xb_error *err)
{
	for (size_t i = 0; i < instruction->pair_count; i++)
		if (instruction->pairs[i].name.text[0] == 0)
			return xb_location_error(dockerfile, instruction->pairs[i].name.at, err,
						 "%s names can not be blank",
						 xb_instruction_name(instruction->kind));
	return 0;
}

/* The value is one of two or three words; NULL ends them. */
static int check_word(const struct xb_dockerfile *dockerfile, const struct xb_flag *flag,
		      const char *const *words, struct xb_error *err)
{
	const char *nearest;
	int r;

	for (size_t i = 0; words[i] != NULL; i++) {
		if (strcmp(flag->value, words[i]) == 0)
			return 0;
	}
	r = xb_location_error(dockerfile, flag->at, err, "invalid value of --%s: \"%s\"",
			      flag->name, flag->value);
	nearest = xb_name_nearest(xb_view(flag->value), words);
	if (nearest != NULL)
		(void)xb_error_hint(err, "did you mean %s?", nearest);
	else
		(void)xb_error_hint(err, "give %s or %s%s%s", words[0], words[1],
				    words[2] != NULL ? " or " : "",
				    words[2] != NULL ? words[2] : "");
	return r;
}

static int check_run_flag(const struct xb_dockerfile *dockerfile, const struct xb_flag *flag,
			  struct xb_error *err)
{
	static const char *const networks[] = { "default", "none", "host", NULL };
	static const char *const modes[] = { "sandbox", "insecure", NULL };
	xb_auto_device struct xb_device_request device = { 0 };
	int r = 0;

	if (strcmp(flag->name, "network") == 0)
		return check_word(dockerfile, flag, networks, err);
	if (strcmp(flag->name, "security") == 0)
		return check_word(dockerfile, flag, modes, err);
	if (strcmp(flag->name, "device") == 0)
		r = xb_device_parse(flag->value, &device, err);
	else if (strcmp(flag->name, "mount") == 0)
		r = xb_mount_check(flag->value, err);
	return r < 0 ? xb_location_wrap(dockerfile, flag->at, err) : 0;
}

/* What can be said of the flags before any variable has a value. */
static int check_run(const struct xb_dockerfile *dockerfile,
		     const struct xb_instruction *instruction, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < instruction->flag_count; i++)
		r = check_run_flag(dockerfile, &instruction->flags[i], err);
	return r;
}

/* The destination is where a file goes; a here-document there has lost its destination. */
static int check_copy(const struct xb_dockerfile *dockerfile,
		      const struct xb_instruction *instruction, struct xb_error *err)
{
	const struct xb_word *last = &instruction->words[instruction->word_count - 1];
	struct xb_heredoc heredoc;

	if (instruction->json ||
	    xb_heredoc_read_word(xb_view(last->text), dockerfile->arena, &heredoc, NULL) <= 0)
		return 0;
	return xb_location_error(dockerfile, last->at, err,
				 "%s cannot accept a heredoc as a destination",
				 xb_instruction_name(instruction->kind));
}

static int check_healthcheck(const struct xb_dockerfile *dockerfile,
			     const struct xb_instruction *instruction, struct xb_error *err)
{
	const struct xb_word *type = &instruction->words[0];

	if (strcasecmp(type->text, "none") == 0) {
		if (instruction->word_count == 1)
			return 0;
		return xb_location_error(dockerfile, instruction->words[1].at, err,
					 "HEALTHCHECK NONE takes no arguments");
	}
	if (strcasecmp(type->text, "cmd") != 0)
		return xb_location_error(dockerfile, type->at, err,
					 "unknown type \"%s\" in HEALTHCHECK (try CMD)",
					 type->text);
	if (instruction->word_count == 1)
		return xb_location_error(dockerfile, type->at, err,
					 "missing command after HEALTHCHECK CMD");
	return 0;
}

static int check_shell(const struct xb_dockerfile *dockerfile,
		       const struct xb_instruction *instruction, struct xb_error *err)
{
	int r;

	if (instruction->json)
		return 0;
	r = xb_location_error(dockerfile, instruction->words[0].at, err,
			      "SHELL requires the arguments to be in JSON form");
	(void)xb_error_hint(err, "write SHELL [\"/bin/bash\", \"-c\"]");
	return r;
}

static int check_volume(const struct xb_dockerfile *dockerfile,
			const struct xb_instruction *instruction, struct xb_error *err)
{
	for (size_t i = 0; i < instruction->word_count; i++) {
		size_t from = 0, to = instruction->words[i].len;

		xb_text_trim(xb_view(instruction->words[i].text), &from, &to);
		if (from == to)
			return xb_location_error(dockerfile, instruction->words[i].at, err,
						 "VOLUME specified can not be an empty string");
	}
	return 0;
}

static int check_instruction(const struct xb_dockerfile *dockerfile,
			     const struct xb_instruction *instruction, struct xb_error *err);

static int check_onbuild(const struct xb_dockerfile *dockerfile,
			 const struct xb_instruction *instruction, struct xb_error *err)
{
	const struct xb_instruction *child = instruction->child;

	if (child == NULL)
		return xb_location_error(dockerfile, instruction->at, err,
					 "ONBUILD requires at least one argument");
	if (!xb_instruction_rule(child->kind)->trigger)
		return xb_location_error(dockerfile, child->at, err,
					 "%s isn't allowed as an ONBUILD trigger",
					 xb_instruction_name(child->kind));
	return check_instruction(dockerfile, child, err);
}

/* An argument that a process could not be given, nor a path that a file could have. */
static int check_nul(const struct xb_dockerfile *dockerfile,
		     const struct xb_instruction *instruction, struct xb_error *err)
{
	for (size_t i = 0; i < instruction->word_count; i++)
		if (strlen(instruction->words[i].text) != instruction->words[i].len)
			return xb_location_error(dockerfile, instruction->words[i].at, err,
						 "the string holds a NUL character");
	return 0;
}

static int check_instruction(const struct xb_dockerfile *dockerfile,
			     const struct xb_instruction *instruction, struct xb_error *err)
{
	static int (*const checks[XB_INSTRUCTION_COUNT])(
		const struct xb_dockerfile *, const struct xb_instruction *, struct xb_error *) = {
		[XB_INSTRUCTION_ADD] = check_copy,
		[XB_INSTRUCTION_ARG] = check_pairs,
		[XB_INSTRUCTION_COPY] = check_copy,
		[XB_INSTRUCTION_ENV] = check_pairs,
		[XB_INSTRUCTION_FROM] = check_from,
		[XB_INSTRUCTION_HEALTHCHECK] = check_healthcheck,
		[XB_INSTRUCTION_LABEL] = check_pairs,
		[XB_INSTRUCTION_ONBUILD] = check_onbuild,
		[XB_INSTRUCTION_RUN] = check_run,
		[XB_INSTRUCTION_SHELL] = check_shell,
		[XB_INSTRUCTION_VOLUME] = check_volume,
	};
	int r = check_flags(dockerfile, instruction, err);

	if (r == 0)
		r = check_count(dockerfile, instruction, err);
	if (r == 0)
		r = check_nul(dockerfile, instruction, err);
	if (r == 0 && checks[instruction->kind] != NULL)
		r = checks[instruction->kind](dockerfile, instruction, err);
	return r;
}

int xb_dockerfile_check_instruction(const struct xb_dockerfile *dockerfile,
				    const struct xb_instruction *instruction, bool in_stage,
				    struct xb_error *err)
{
	int r = check_instruction(dockerfile, instruction, err);

	if (r < 0 || in_stage || instruction->kind == XB_INSTRUCTION_FROM ||
	    instruction->kind == XB_INSTRUCTION_ARG)
		return r;
	return xb_location_error(dockerfile, instruction->at, err,
				 "no build stage in current context: only ARG may stand before "
				 "the first FROM");
}

/* Stages. */

static void collect_stages(struct xb_dockerfile *dockerfile, struct stages *stages)
{
	for (size_t i = 0; i < dockerfile->instruction_count; i++) {
		const struct xb_instruction *instruction = &dockerfile->instructions[i];
		struct xb_stage *stage;

		if (instruction->kind != XB_INSTRUCTION_FROM) {
			if (stages->len > 0)
				stages->items[stages->len - 1].instruction_count++;
			else
				dockerfile->arg_count++;
			continue;
		}
		stage = xb_array_push(stages);
		stage->from = instruction;
		stage->instructions = instruction + 1;
		if (instruction->word_count == 3)
			stage->name = lower(dockerfile->arena, instruction->words[2].text);
	}
}

int xb_dockerfile_set_stages(struct xb_dockerfile *dockerfile, struct xb_error *err)
{
	XB_CLEANUP(stages_clear) struct stages stages = { 0 };
	struct xb_stage *copy;

	collect_stages(dockerfile, &stages);
	if (stages.len == 0) {
		(void)xb_error_set(err, -EINVAL, "%s: no build stage: there is no FROM",
				   dockerfile->path);
		return xb_error_fault(err, XB_FAULT_SOURCE), -EINVAL;
	}
	copy = xb_arena_alloc(dockerfile->arena, stages.len, sizeof(*copy));
	memcpy(copy, stages.items, stages.len * sizeof(*copy));
	dockerfile->args = dockerfile->instructions;
	dockerfile->stages = copy;
	dockerfile->stage_count = stages.len;
	return 0;
}
