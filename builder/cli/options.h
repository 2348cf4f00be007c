/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Command-line options by table: a row says how an option is called, what it takes, where it goes
 * and what the help says of it.
 */
#ifndef XB_BUILDER_CLI_OPTIONS_H
#define XB_BUILDER_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/error.h"

/** What an option takes. */
enum xb_option_kind {
	XB_OPTION_FLAG, /**< `bool` member: given or not (`--x=false` takes it back) */
	XB_OPTION_TEXT, /**< `const char *` member: the last value, borrowed from argv */
	XB_OPTION_LIST, /**< `struct xb_strv` member: all values in order */
	XB_OPTION_LATER /**< known from docker buildx, not supported yet: an error that says so */
};

/** One option; a table ends with a row whose name is NULL. */
struct xb_option {
	const char *name; /**< without dashes */
	char letter;	  /**< of the short form, 0: none */
	enum xb_option_kind kind;
	size_t offset;	   /**< of the member in the options' struct */
	const char *value; /**< what the value is called in help; NULL for flags */
	const char *help;
};

/**
 * Read `argv` (ends with NULL; the command's name not in it) into `target`. Operands go to
 * `operands`; with `stop` everything from the first operand on does; "--" ends the options.
 * Errors: -EINVAL, fault usage, with a hint.
 */
int xb_options_parse(const struct xb_option *table, char *const *argv, bool stop, void *target,
		     struct xb_strv *operands, struct xb_error *err);

/**
 * Read a truth value as docker does (1, t, true, 0, F, FALSE, ...); NULL is true. Returns 0 or
 * -EINVAL.
 */
int xb_option_bool(const char *text, bool *ret);
/**
 * Read a size in bytes, or with K, M, G or T behind it in powers of 1024; `text` NULL leaves
 * *ret alone. Errors: -EINVAL, fault usage.
 */
int xb_option_size(const char *option, const char *text, uint64_t *ret, struct xb_error *err);

/**
 * Append the words that give what `options` (filled in by xb_options_parse()) holds again, in the
 * order of the table; those that have `without` (ends with NULL) among their names are left out.
 */
void xb_options_words(const struct xb_option *table, const void *options,
		      const char *const *without, struct xb_strv *ret);

/** Append the table as help text, a line an option. */
void xb_options_help(const struct xb_option *table, struct xb_str *out);

#endif
