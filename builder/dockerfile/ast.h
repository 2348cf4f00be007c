/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The tree of a Dockerfile: stages of instructions of words, each with its place in the source.
 *
 * The tree is text still: nothing is expanded, unquoted or interpreted beyond what splitting into
 * words needs. It lives in one arena and one array owned by `struct xb_dockerfile` and is never
 * changed after parsing, so threads may share it. Lines and columns count from 1, columns in bytes.
 * Source: Dockerfile reference of frontend 1.26 and the behaviour that its tests pin.
 */
#ifndef XB_BUILDER_DOCKERFILE_AST_H
#define XB_BUILDER_DOCKERFILE_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

/** A place in the source: from line:column up to the end of `end_line`. */
struct xb_location {
	uint32_t line;
	uint32_t column;
	uint32_t end_line;
};

/** The instructions; the table of builder/dockerfile/instruction.h says what each allows. */
enum xb_instruction_kind {
	XB_INSTRUCTION_ADD,
	XB_INSTRUCTION_ARG,
	XB_INSTRUCTION_CMD,
	XB_INSTRUCTION_COPY,
	XB_INSTRUCTION_ENTRYPOINT,
	XB_INSTRUCTION_ENV,
	XB_INSTRUCTION_EXPOSE,
	XB_INSTRUCTION_FROM,
	XB_INSTRUCTION_HEALTHCHECK,
	XB_INSTRUCTION_LABEL,
	XB_INSTRUCTION_MAINTAINER,
	XB_INSTRUCTION_ONBUILD,
	XB_INSTRUCTION_RUN,
	XB_INSTRUCTION_SHELL,
	XB_INSTRUCTION_STOPSIGNAL,
	XB_INSTRUCTION_USER,
	XB_INSTRUCTION_VOLUME,
	XB_INSTRUCTION_WORKDIR,
	XB_INSTRUCTION_COUNT
};

/** A word as written (quotes and escapes in place, continuations joined); NUL-terminated. */
struct xb_word {
	const char *text;
	size_t len; /**< of `text`; only a string of a JSON array that no check has seen holds NUL
		     */
	struct xb_location at;
};

/** `--name=value` before the operands; `value` is NULL for a bare `--name`. */
struct xb_flag {
	const char *name;
	const char *value;
	struct xb_location at;
};

/** NAME=value of ENV, LABEL and ARG; `value` is NULL for an ARG without default. */
struct xb_pair {
	struct xb_word name;
	struct xb_word value;
};

/**
 * A here-document. `content` is what a file made from it holds (leading tabs of each line removed
 * for `<<-`), `raw` what stands between the lines, for a shell that reads the document itself.
 */
struct xb_heredoc {
	const char *name; /**< the delimiter, unquoted */
	const char *content;
	const char *raw;
	uint32_t fd; /**< descriptor number in front of <<, 0 when none */
	bool expand; /**< false when the delimiter was quoted */
	bool strip_tabs;
	struct xb_location at;
};

/** A line of comment: what stands behind "#" without the blanks around it, a view of the source. */
struct xb_comment {
	struct xb_view text;
	uint32_t line;
};

/**
 * One instruction. Which of the operand members are set depends on the kind:
 *  - ENV, LABEL, ARG: `pairs`
 *  - RUN, CMD, ENTRYPOINT: `json` and `words` (exec form) or `words[0]`, the whole text (shell
 * form)
 *  - SHELL, and VOLUME, COPY, ADD in JSON form: `json` and `words`
 *  - HEALTHCHECK: `words[0]` is NONE or CMD in any case, the command follows as for CMD
 *  - ONBUILD: `child`
 *  - all others: `words`, for COPY and ADD the sources and, last, the destination
 */
struct xb_instruction {
	enum xb_instruction_kind kind;
	struct xb_location at;
	const char *keyword; /**< the instruction's name as written */
	const char *source;  /**< the instruction as written, continuations joined, for history */
	const struct xb_flag *flags;
	size_t flag_count;
	bool json;   /**< the operands were a JSON array; `words` hold its decoded strings */
	bool legacy; /**< ENV and LABEL: written as NAME VALUE, without "=" */
	const struct xb_word *words;
	size_t word_count;
	const struct xb_pair *pairs;
	size_t pair_count;
	const struct xb_heredoc *heredocs;
	size_t heredoc_count;
	const struct xb_instruction *child; /**< of ONBUILD */
	/** The comments between the instruction before and this one; those before an empty comment
	 *  ("#" alone) and parser directives are not among them. None for a child. */
	const struct xb_comment *comments;
	size_t comment_count;
	uint32_t blank_line; /**< the first blank line within its continuations, 0: none */
	uint32_t blank_end;  /**< the line that those continuations end on, 0: none */
};

/** A stage: its FROM and what follows up to the next FROM. */
struct xb_stage {
	const char *name; /**< of AS, lower case; NULL when none */
	const struct xb_instruction *from;
	const struct xb_instruction *instructions;
	size_t instruction_count;
};

/** A parser directive that was given, NULL where not. */
struct xb_directives {
	const char *syntax;
	const char *check;
	char escape; /**< '\\' or '`' */
};

/** A parsed Dockerfile; owns everything reachable from it. */
struct xb_dockerfile {
	struct xb_arena *arena;
	const char *path;    /**< as messages name it */
	struct xb_view text; /**< the source, for excerpts */
	struct xb_directives directives;
	bool part; /**< the text has a fault: this is what stands before it */
	const struct xb_instruction *instructions; /**< all, in order; the others point into it */
	size_t instruction_count;
	const struct xb_instruction *args; /**< the ARGs before the first FROM */
	size_t arg_count;
	const struct xb_stage *stages;
	size_t stage_count;
};

#endif
