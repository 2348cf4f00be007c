/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Variables of a Dockerfile: what a word may refer to at a point of a stage.
 *
 * Of environment variables (ENV, and those of the base image) and build arguments (ARG) of one name
 * the one set last counts, in words and in the environment of commands, as in BuildKit; only ENV
 * stands in the image. So `args` has the value that counts for each name in it: who sets a variable
 * calls xb_scope_set_env(), who begins a stage xb_scope_inherit().
 * Source: Dockerfile reference, "ARG", "Scope", "Automatic platform ARGs in the global scope".
 */
#ifndef XB_BUILDER_PLAN_SCOPE_H
#define XB_BUILDER_PLAN_SCOPE_H

#include "base/array.h"
#include "base/error.h"
#include "builder/dockerfile/ast.h"
#include "builder/dockerfile/expand.h"
#include "platforms/platform.h"

/** What a lookup sees; all borrowed. */
struct xb_scope {
	const struct xb_strv *env;  /**< NULL for none */
	const struct xb_strv *args; /**< wins over `env`; NULL for none */
};

/** What --build-arg may set without an ARG that declares it: never part of a key or of history. */
extern const char *const xb_scope_proxy_names[];

/**
 * Append the automatic arguments: BUILDPLATFORM, BUILDOS, BUILDARCH, BUILDVARIANT, BUILDOSVERSION,
 * the same for TARGET, and TARGETSTAGE ("default" when `stage` is NULL).
 */
void xb_scope_automatic(struct xb_strv *args, const struct xb_platform *build,
			const struct xb_platform *target, const char *stage);

/** ENV gives `name` a value: an argument of this name has it from now on. */
void xb_scope_set_env(struct xb_strv *args, struct xb_view name, struct xb_view value);
/** A stage begins with the arguments and variables of another one: the variables count. */
void xb_scope_inherit(struct xb_strv *args, const struct xb_strv *env);

/** What an expansion of `file` in `scope` sees; borrows both. */
struct xb_expand_env xb_scope_env(const struct xb_scope *scope, const struct xb_dockerfile *file);

/**
 * Expand one word. `ret` gets the result appended. Errors point at the word
 * (builder/dockerfile/location.h), fault XB_FAULT_SOURCE.
 */
int xb_scope_expand(const struct xb_scope *scope, const struct xb_dockerfile *file,
		    const struct xb_word *word, struct xb_str *ret, struct xb_error *err);
/** Expand the content of a here-document; quotes are text. Errors point at the document. */
int xb_scope_expand_document(const struct xb_scope *scope, const struct xb_dockerfile *file,
			     const struct xb_heredoc *heredoc, struct xb_str *ret,
			     struct xb_error *err);
/** Expand a word into the words that it stands for (EXPOSE); appended to `ret`. */
int xb_scope_expand_split(const struct xb_scope *scope, const struct xb_dockerfile *file,
			  const struct xb_word *word, struct xb_strv *ret, struct xb_error *err);

/**
 * Take one ARG pair into `args`: a value given with --build-arg wins, then the default (expanded in
 * `scope`), then the value in `inherited` (the global scope), else the argument stays unset.
 * `*ret_shown` gets "NAME=value" or "NAME" for the history, malloc()ed.
 * Errors: those of expansion; a default that differs from the automatic value of TARGETPLATFORM,
 * TARGETOS, TARGETARCH or TARGETVARIANT, fault XB_FAULT_PROOF.
 */
int xb_scope_declare(const struct xb_scope *scope, const struct xb_dockerfile *file,
		     const struct xb_pair *pair, const struct xb_strv *build_args,
		     const struct xb_strv *inherited, struct xb_strv *args, char **ret_shown,
		     struct xb_error *err);

#endif
