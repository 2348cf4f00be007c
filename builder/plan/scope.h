/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What a word of a Dockerfile may refer to at a point of a stage, or of the global scope.
 *
 * ENV, what the base image sets, and ARG fill one set of variables: of two that have a name in
 * common the later one counts, as in BuildKit, whose reference says that ENV always wins.
 * Source: Dockerfile reference, "ARG", "Scope", "Automatic platform ARGs in the global scope";
 * BuildKit, dockerfile2llb/convert.go, dispatchArg() and dispatchEnv().
 */
#ifndef XB_BUILDER_PLAN_SCOPE_H
#define XB_BUILDER_PLAN_SCOPE_H

#include "base/array.h"
#include "base/error.h"
#include "builder/dockerfile/ast.h"
#include "builder/dockerfile/expand.h"
#include "builder/plan/vars.h"
#include "platforms/platform.h"

/** What --build-arg may set without an ARG that declares it: never part of a key or of history. */
extern const char *const xb_scope_proxy_names[];

/**
 * Set the automatic arguments: BUILDPLATFORM, BUILDOS, BUILDOSVERSION, BUILDARCH, BUILDVARIANT,
 * the same for TARGET, and TARGETSTAGE ("default" when `stage` is NULL). What `build_args` has of
 * them is taken from there.
 */
void xb_scope_automatic(struct xb_vars *vars, const struct xb_platform *build,
			const struct xb_platform *target, const char *stage,
			const struct xb_vars *build_args);

/** What an expansion of `file` with `vars` sees; borrows both. */
struct xb_expand_env xb_scope_env(const struct xb_vars *vars, const struct xb_dockerfile *file);

/**
 * Expand one word. `ret` gets the result appended. Errors point at the word
 * (builder/dockerfile/location.h), fault XB_FAULT_SOURCE.
 */
int xb_scope_expand(const struct xb_vars *vars, const struct xb_dockerfile *file,
		    const struct xb_word *word, struct xb_str *ret, struct xb_error *err);
/** Expand the content of a here-document; quotes are text. Errors point at the document. */
int xb_scope_expand_document(const struct xb_vars *vars, const struct xb_dockerfile *file,
			     const struct xb_heredoc *heredoc, struct xb_str *ret,
			     struct xb_error *err);
/** Expand a word into the words that it stands for (EXPOSE); appended to `ret`. */
int xb_scope_expand_split(const struct xb_vars *vars, const struct xb_dockerfile *file,
			  const struct xb_word *word, struct xb_strv *ret, struct xb_error *err);

/** What an ARG is read with; all borrowed. */
struct xb_scope_arguments {
	const struct xb_dockerfile *file; /**< where the ARG stands */
	const struct xb_vars *build_args; /**< of --build-arg */
	const struct xb_vars *globals;	  /**< the global scope; NULL while that is being made */
	bool may_shadow; /**< a default may hide what a platform is (--allow-mismatch) */
};

/**
 * Take one ARG pair into `vars`: a value given with --build-arg wins, then the default (expanded
 * with `vars` as they are), then the value in the global scope, else the variable stays as it is.
 * `*ret_shown` gets "NAME=value" or "NAME" for the history, malloc()ed.
 * Errors: those of expansion; a default that differs from the automatic value of TARGETPLATFORM,
 * TARGETOS, TARGETARCH or TARGETVARIANT, fault XB_FAULT_PROOF.
 */
int xb_scope_declare(const struct xb_scope_arguments *arguments, const struct xb_pair *pair,
		     struct xb_vars *vars, char **ret_shown, struct xb_error *err);

#endif
