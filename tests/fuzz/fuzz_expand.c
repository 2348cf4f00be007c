/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expansion. The input is a byte of options, the value of $A, a zero byte, and the word. Splitting
 * into words loses white space and nothing else.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/dockerfile/expand.h"
#include "builder/dockerfile/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lookup(void *ctx, struct xb_view name, const char **ret_value)
{
	if (!xb_view_is(name, "A") && !xb_view_is(name, "E"))
		return false;
	*ret_value = xb_view_is(name, "E") ? "" : ctx;
	return true;
}

static bool is_ascii(const char *text)
{
	for (; *text != 0; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

static void append_solid(struct xb_str *out, const char *text)
{
	for (; *text != 0; text++)
		if (strchr(" \t\n\v\f\r", *text) == NULL)
			(void)xb_str_putc(out, *text);
}

static void check_split(const char *word, const struct xb_expand_env *env, const char *whole)
{
	xb_auto_strv struct xb_strv words = XB_STRV_INIT;
	xb_auto_str struct xb_str a = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str b = XB_STR_INIT(XB_STR_OWN);

	if (xb_expand_words(word, env, &words, NULL) < 0)
		abort();
	append_solid(&a, whole);
	for (size_t i = 0; i < words.len; i++) {
		if (words.items[i][0] == 0)
			abort();
		append_solid(&b, words.items[i]);
	}
	if (!xb_view_eq(xb_str_view(&a), xb_str_view(&b)))
		abort();
}

static void try_word(uint8_t options, char *value, const char *word)
{
	xb_auto_strv struct xb_strv used = XB_STRV_INIT;
	xb_auto_strv struct xb_strv unset = XB_STRV_INIT;
	struct xb_expand_env env = { .lookup = lookup,
				     .ctx = value,
				     .escape = (options & 1) != 0 ? '`' : '\\',
				     .keep_quotes = (options & 2) != 0,
				     .raw_quotes = (options & 4) != 0,
				     .raw_escapes = (options & 8) != 0,
				     .skip_unset = (options & 16) != 0,
				     .used = &used,
				     .unset = &unset };
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_MAX_EXPANSION);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_expand_word(word, &env, &out, &err) < 0) {
		if (err.message == NULL || err.fault != XB_FAULT_SOURCE)
			abort();
		return;
	}
	if (strpbrk(word, "$'\"\\`") == NULL && strcmp(word, xb_str_text(&out)) != 0)
		abort();
	if (is_ascii(word) && is_ascii(value))
		check_split(word, &env, xb_str_text(&out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	xb_autofree char *text = NULL;
	size_t len;

	if (size < 1)
		return 0;
	text = xb_view_dup((struct xb_view){ (const char *)data + 1, size - 1 });
	len = strlen(text);
	try_word(data[0], text, len < size - 1 ? text + len + 1 : text);
	return 0;
}
