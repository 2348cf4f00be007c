/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A walk over the stages of a Dockerfile with the variables that each instruction sees. For the
 * files of a check: lint_from.c (the global scope and FROM), lint_scopes.c (the walk),
 * lint_apply.c (instructions), uses.c (what an outline is made of).
 */
#ifndef XB_BUILDER_DOCKERFILE_LINT_SCOPES_H
#define XB_BUILDER_DOCKERFILE_LINT_SCOPES_H

#include "builder/dockerfile/expand.h"
#include "builder/dockerfile/linter.h"
#include "builder/dockerfile/uses.h"
#include "builder/dockerfile/variables.h"

/** The instructions of which only the last counts. */
enum xb_once { XB_ONCE_CMD, XB_ONCE_ENTRYPOINT, XB_ONCE_HEALTHCHECK, XB_ONCE_COUNT };

/** What the walk knows of a stage. */
struct xb_scope_stage {
	const struct xb_stage *ast;
	char *base; /**< name of its image after expansion, owned; NULL: another stage, or a fault
		     */
	size_t parent;	/**< the stage it stands on, or XB_NO_STAGE */
	size_t child;	/**< the first stage that stands on it, or XB_NO_STAGE */
	size_t sibling; /**< the next that stands on the same, or XB_NO_STAGE */
	struct xb_platform platform;
	bool given;	/**< --build-context stands in for it */
	bool wanted;	/**< the target needs it, or all are asked for */
	bool needed;	/**< the target needs it */
	bool shell;	/**< it has a shell of its own choice */
	bool directory; /**< it has a WORKDIR */
	const struct xb_instruction *once[XB_ONCE_COUNT]; /**< the last of them, this far */
	size_t mark; /**< where the variables stood before it */
};

/** The walk. */
struct xb_scopes {
	struct xb_linter *linter;
	struct xb_variables *defaults; /**< with no --build-arg: the defaults that FROM could use */
	struct xb_variables *globals;  /**< the global scope as the build has it */
	struct xb_variables *given;    /**< --build-arg */
	struct xb_variables *scope;    /**< of the stage that is walked */
	struct xb_scope_stage *stages;
	size_t stage_count;
	size_t target;
	size_t stage; /**< the one that is walked */
	size_t bytes; /**< that expansions came to, this far; bounded */
	size_t work;  /**< what they may cost still */
	size_t extra; /**< triggers carried out, this far; bounded */
	bool stop;    /**< a bound was passed */
	bool mute;    /**< what is walked stands in another file */
	/** What findings are placed by: the instruction, for a trigger the FROM that it belongs to.
	 */
	const struct xb_instruction *subject;
	struct xb_uses *uses; /**< what an outline is made of; NULL: none is wanted */
};

/** One word on its way through an expansion. */
struct xb_scope_word {
	const char *text;
	struct xb_location at;
	struct xb_variables *variables;
	bool document;	      /**< content of a here-document */
	struct xb_strv used;  /**< gets the names that were found */
	struct xb_strv unset; /**< gets those that were not */
};

/** Release what an expansion gave. */
void xb_scope_word_clear(struct xb_scope_word *word);
#define xb_auto_scope_word XB_CLEANUP(xb_scope_word_clear)

/**
 * Expand a word and append to `out`. A fault goes to the linter; false then, and when a bound was
 * passed.
 */
bool xb_scopes_expand(struct xb_scopes *s, struct xb_scope_word *word, struct xb_str *out);
/** Take the fault of something at `at`; `err` gets its place first. */
void xb_scopes_fault(struct xb_scopes *s, struct xb_location at, struct xb_error *err);
/** Where to point for the variable `name` in a word that stands at `at`. */
struct xb_location xb_scopes_point(const char *text, struct xb_location at, const char *name);

/** Where the value of a flag begins. */
struct xb_location xb_scopes_value(const struct xb_flag *flag);

/** The global scope, what each FROM says, which stage stands on which, which are needed. */
void xb_scopes_from(struct xb_scopes *s);
/** One instruction of the stage that is walked; also a trigger. */
void xb_scopes_apply(struct xb_scopes *s, const struct xb_instruction *instruction);

#endif
