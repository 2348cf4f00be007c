/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The one table of instructions: what each is called, how its operands are written, which flags it
 * has, and what of it xbuild does not do yet.
 */
#ifndef XB_BUILDER_DOCKERFILE_INSTRUCTION_H
#define XB_BUILDER_DOCKERFILE_INSTRUCTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "builder/dockerfile/ast.h"

/** How the operands of an instruction become words. */
enum xb_operands {
	XB_OPERANDS_TEXT,	 /**< the rest of the line is one word */
	XB_OPERANDS_WORDS,	 /**< words between blanks, quotes mean nothing */
	XB_OPERANDS_LIST,	 /**< a JSON array, else words between blanks */
	XB_OPERANDS_COMMAND,	 /**< a JSON array, else one word */
	XB_OPERANDS_PAIRS,	 /**< NAME=VALUE ..., else NAME VALUE */
	XB_OPERANDS_NAMES,	 /**< NAME or NAME=VALUE ... */
	XB_OPERANDS_HEALTHCHECK, /**< NONE, or CMD and a command */
	XB_OPERANDS_INSTRUCTION	 /**< another instruction */
};

/** What follows a flag's name. */
enum xb_flag_type {
	XB_FLAG_TEXT, /**< =VALUE, at most once */
	XB_FLAG_LIST, /**< =VALUE, any number of times */
	XB_FLAG_BOOL  /**< nothing, =true or =false, at most once */
};

/** A flag of an instruction. */
struct xb_flag_rule {
	const char *name; /**< without "--"; NULL ends a table */
	enum xb_flag_type type;
};

/** An instruction. */
struct xb_instruction_rule {
	const char *name; /**< in capitals */
	enum xb_operands operands;
	size_t min; /**< least number of words or pairs */
	size_t max; /**< greatest number, 0: any */
	const struct xb_flag_rule *flags;
	bool trigger; /**< may follow ONBUILD */
	bool layer;   /**< makes a layer */
	bool heredoc; /**< may have here-documents */
};

/** The row of an instruction; never NULL for kinds below XB_INSTRUCTION_COUNT. */
const struct xb_instruction_rule *xb_instruction_rule(enum xb_instruction_kind kind);

/** The name of an instruction in capitals. */
const char *xb_instruction_name(enum xb_instruction_kind kind);

/** Find an instruction by its name in any case; false when there is none. */
bool xb_instruction_find(struct xb_view name, enum xb_instruction_kind *ret);

/** The name that `name` was probably meant to be, or NULL when none is near. */
const char *xb_instruction_nearest(struct xb_view name);

/** The flag of that name in a kind's table, or NULL. */
const struct xb_flag_rule *xb_flag_rule_find(enum xb_instruction_kind kind, const char *name);

/** The flag of a kind that `name` was probably meant to be, or NULL when none is near. */
const char *xb_flag_rule_nearest(enum xb_instruction_kind kind, const char *name);

/** The one of `candidates` (ends with NULL) that `name` was probably meant to be, or NULL. */
const char *xb_name_nearest(struct xb_view name, const char *const *candidates);

/** The first flag `name` (without "--") of an instruction, or NULL. */
const struct xb_flag *xb_instruction_flag(const struct xb_instruction *instruction,
					  const char *name);

/** The value of the flag `name` as written (unexpanded), or NULL when it was not given. */
const char *xb_instruction_flag_value(const struct xb_instruction *instruction, const char *name);

/** Whether the boolean flag `name` is given and not "false". */
bool xb_instruction_flag_bool(const struct xb_instruction *instruction, const char *name);

#endif
