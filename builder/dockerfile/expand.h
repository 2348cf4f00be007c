/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Expansion of words: variables, quotes, escapes.
 *
 * Known forms: $v ${v} ${v-w} ${v:-w} ${v+w} ${v:+w} ${v?w} ${v:?w} ${v#p} ${v##p} ${v%p} ${v%%p}
 * ${v/p/r} ${v//p/r}, with words and patterns expanded in turn. In patterns * stands for any run of
 * characters and ? for one (neither for a newline); a backslash takes their meaning away. A word
 * is expanded also where it is not used, so that its errors are found.
 *
 * Which instructions of a Dockerfile are expanded how: the words and flag values of ADD, COPY,
 * USER, VOLUME, WORKDIR, STOPSIGNAL and FROM, and the names and values of ENV, LABEL and ARG by
 * xb_expand_word(); EXPOSE by xb_expand_words(); the contents of here-documents of COPY and ADD
 * (if `expand` of the document is set) by xb_expand_word() with `keep_quotes` and the escape
 * character '\\'. RUN, CMD, ENTRYPOINT, SHELL, HEALTHCHECK and ONBUILD are not expanded.
 * Source: Dockerfile reference of frontend 1.26, "Environment replacement".
 */
#ifndef XB_BUILDER_DOCKERFILE_EXPAND_H
#define XB_BUILDER_DOCKERFILE_EXPAND_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"
#include "base/str.h"

/** What an expansion sees. All is borrowed. */
struct xb_expand_env {
	/** Find a variable: true and its value, or false. */
	bool (*lookup)(void *ctx, struct xb_view name, const char **ret_value);
	void *ctx;
	char escape;	       /**< '\\' or '`', of the Dockerfile's directives */
	bool keep_quotes;      /**< quotes are ordinary characters (contents of here-documents) */
	bool raw_quotes;       /**< quotes act but stay in the result (text shown to people) */
	bool raw_escapes;      /**< escape characters act but stay in the result */
	bool skip_unset;       /**< an unset variable stays as it is written */
	struct xb_strv *used;  /**< if not NULL: gets the names that were found, each once */
	struct xb_strv *unset; /**< if not NULL: gets the names that were not, each once */
	size_t *work; /**< if not NULL: what expansions may cost still, as XB_MAX_EXPANSION_WORK;
			   shared by several words, which make it less */
};

/**
 * Expand `word` to one word and append it to `out`, whose maximum bounds the result.
 * Errors: -EINVAL (syntax, an unset ${v?}), -EFBIG (result above the maximum, nesting or the work
 * above the limits), all of fault source; `out` may then hold a part.
 */
int xb_expand_word(const char *word, const struct xb_expand_env *env, struct xb_str *out,
		   struct xb_error *err);

/**
 * Expand `word` and split the result at white space that was not quoted; appends the words, none of
 * which is empty, to `out`. Errors as xb_expand_word(); `out` is then as it was.
 */
int xb_expand_words(const char *word, const struct xb_expand_env *env, struct xb_strv *out,
		    struct xb_error *err);

/** A lookup function over a vector of "NAME=value" (`ctx`); the last of a name counts. */
bool xb_expand_lookup_env(void *ctx, struct xb_view name, const char **ret_value);

#endif
