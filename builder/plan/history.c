/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/history.h"

char *xb_history_words(const char *instruction, const struct xb_strv *words)
{
	xb_autofree char *joined = xb_strv_join(words, " ");

	return xb_format("%s %s", instruction, joined);
}

static void quote(struct xb_str *out, const char *word)
{
	(void)xb_str_putc(out, '"');
	for (const char *p = word; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			(void)xb_str_printf(out, "\\%c", *p);
		else if (*p == '\n')
			(void)xb_str_puts(out, "\\n");
		else if (*p == '\t')
			(void)xb_str_puts(out, "\\t");
		else
			(void)xb_str_putc(out, *p);
	}
	(void)xb_str_putc(out, '"');
}

char *xb_history_quoted(const char *instruction, const struct xb_strv *words)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_printf(&out, "%s [", instruction);
	for (size_t i = 0; i < words->len; i++) {
		if (i > 0)
			(void)xb_str_putc(&out, ' ');
		quote(&out, words->items[i]);
	}
	(void)xb_str_putc(&out, ']');
	return xb_str_steal(&out);
}

char *xb_history_list(const char *instruction, const struct xb_strv *words)
{
	xb_autofree char *joined = xb_strv_join(words, " ");

	return xb_format("%s [%s]", instruction, joined);
}

char *xb_history_run(const struct xb_strv *args, const struct xb_strv *argv)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);
	xb_autofree char *command = xb_strv_join(argv, " ");

	(void)xb_str_puts(&out, "RUN ");
	if (args->len > 0) {
		xb_autofree char *joined = xb_strv_join(args, " ");

		(void)xb_str_printf(&out, "|%zu %s ", args->len, joined);
	}
	(void)xb_str_puts(&out, command);
	return xb_str_steal(&out);
}
