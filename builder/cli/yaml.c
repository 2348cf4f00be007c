/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/yaml.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"

/* Words that readers of YAML 1.1 take for truth values or nothing. */
static bool is_taken_for_another(const char *key)
{
	static const char *const words[] = { "on", "off",  "yes",   "no",  "y",
					     "n",  "true", "false", "null" };

	for (size_t i = 0; i < XB_COUNT(words); i++) {
		if (strcasecmp(key, words[i]) == 0)
			return true;
	}
	return false;
}

static void indent(struct xb_yaml *y)
{
	for (size_t i = 0; i < y->depth; i++)
		(void)xb_str_puts(y->out, y->dash && i + 1 == y->depth ? "- " : "  ");
	y->dash = false;
}

/* The code point of a well-formed character of `len` bytes. */
static uint32_t decode(const unsigned char *p, size_t len)
{
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = p[0] & first[len];

	for (size_t i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

static void append_character(struct xb_str *s, uint32_t c)
{
	if (c == '"' || c == '\\')
		(void)xb_str_printf(s, "\\%c", (char)c);
	else if (c == '\n')
		(void)xb_str_puts(s, "\\n");
	else if (c >= ' ' && c < 0x7f)
		(void)xb_str_putc(s, (char)c);
	else if (c <= 0xff)
		(void)xb_str_printf(s, "\\x%02X", c);
	else if (c <= 0xffff)
		(void)xb_str_printf(s, "\\u%04X", c);
	else
		(void)xb_str_printf(s, "\\U%08X", c);
}

/* What is not UTF-8 becomes the character that stands for such bytes. */
static void append_quoted(struct xb_str *s, const char *text)
{
	struct xb_view rest = xb_view(text);

	(void)xb_str_putc(s, '"');
	while (rest.len > 0) {
		size_t len = xb_view_utf8_len(rest);

		append_character(s,
				 len == 0 ? 0xfffd : decode((const unsigned char *)rest.data, len));
		rest = xb_view_sub(rest, len == 0 ? 1 : len, rest.len);
	}
	(void)xb_str_putc(s, '"');
}

/* Whether a literal block gives the text again: lines of printable ASCII, the first of which is not
 * indented, so that its indentation is that of the block. */
static bool fits_block(const char *text)
{
	size_t len = strlen(text);

	if (strchr(text, '\n') == NULL || text[0] == ' ' || text[0] == '\n' ||
	    text[len - 1] == '\n')
		return false;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p != '\n' && (*p < ' ' || *p > '~'))
			return false;
	}
	return true;
}

static void append_block(struct xb_yaml *y, const char *text)
{
	struct xb_view rest = xb_view(text), line;

	(void)xb_str_puts(y->out, "|-\n");
	y->depth++;
	while (xb_view_split(&rest, '\n', &line)) {
		if (line.len > 0)
			indent(y);
		(void)xb_str_append_view(y->out, line);
		(void)xb_str_putc(y->out, '\n');
	}
	y->depth--;
}

static void append_value(struct xb_yaml *y, const char *value)
{
	if (fits_block(value)) {
		append_block(y, value);
		return;
	}
	append_quoted(y->out, value);
	(void)xb_str_putc(y->out, '\n');
}

static void append_key(struct xb_yaml *y, const char *key)
{
	indent(y);
	if (key[0] != '\0' && key[strspn(key, PLAIN)] == '\0' && !is_taken_for_another(key) &&
	    key[0] != '-')
		(void)xb_str_puts(y->out, key);
	else
		append_quoted(y->out, key);
	(void)xb_str_putc(y->out, ':');
}

void xb_yaml_comment(struct xb_yaml *y, const char *text)
{
	indent(y);
	(void)xb_str_puts(y->out, "# ");
	(void)xb_str_append_quoted(y->out, xb_view(text));
	(void)xb_str_putc(y->out, '\n');
}

void xb_yaml_map(struct xb_yaml *y, const char *key)
{
	append_key(y, key);
	(void)xb_str_putc(y->out, '\n');
	y->depth++;
}

void xb_yaml_list(struct xb_yaml *y, const char *key)
{
	xb_yaml_map(y, key);
}

void xb_yaml_item(struct xb_yaml *y)
{
	y->depth++;
	y->dash = true;
}

void xb_yaml_end(struct xb_yaml *y, size_t levels)
{
	y->depth -= levels;
}

void xb_yaml_text(struct xb_yaml *y, const char *key, const char *value)
{
	append_key(y, key);
	(void)xb_str_putc(y->out, ' ');
	append_value(y, value);
}

void xb_yaml_bool(struct xb_yaml *y, const char *key, bool value)
{
	append_key(y, key);
	(void)xb_str_puts(y->out, value ? " true\n" : " false\n");
}

void xb_yaml_texts(struct xb_yaml *y, const char *key, const struct xb_strv *values)
{
	append_key(y, key);
	(void)xb_str_puts(y->out, " [");
	for (size_t i = 0; i < values->len; i++) {
		(void)xb_str_puts(y->out, i > 0 ? ", " : "");
		append_quoted(y->out, values->items[i]);
	}
	(void)xb_str_puts(y->out, "]\n");
}

void xb_yaml_element(struct xb_yaml *y, const char *value)
{
	indent(y);
	(void)xb_str_puts(y->out, "- ");
	append_value(y, value);
}
