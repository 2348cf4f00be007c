/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/shell.h"

#include <string.h>

/* What means nothing to a shell, wherever it stands in a word. */
#define PLAIN                                                                                      \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"                           \
	"_./:,@%+-="

void xb_shell_append(struct xb_str *s, const char *word)
{
	if (*word != '\0' && word[strspn(word, PLAIN)] == '\0') {
		(void)xb_str_puts(s, word);
		return;
	}
	(void)xb_str_putc(s, '\'');
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			(void)xb_str_puts(s, "'\\''");
		else
			(void)xb_str_putc(s, *word);
	}
	(void)xb_str_putc(s, '\'');
}

void xb_shell_append_all(struct xb_str *s, const struct xb_strv *words)
{
	for (size_t i = 0; i < words->len; i++) {
		if (i > 0)
			(void)xb_str_putc(s, ' ');
		xb_shell_append(s, words->items[i]);
	}
}
