/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/toml.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/array.h"

enum { MAX_HEADERS = 4096 };

struct parser {
	struct xb_view rest;
	unsigned line;
	json_t *root;	      /* borrowed */
	json_t *table;	      /* where keys go to now, borrowed */
	struct xb_strv named; /* the tables that a [header] has named */
	struct xb_error *err;
};

static int fault(struct parser *p, const char *what)
{
	return xb_error_set(p->err, -EBADMSG, "line %u: %s", p->line, what);
}

/* The next byte, or '\0' at the end; a NUL in the text is refused by whoever meets it. */
static char peek(const struct parser *p)
{
	return p->rest.len > 0 ? p->rest.data[0] : '\0';
}

static void step(struct parser *p, size_t n)
{
	p->rest = xb_view_sub(p->rest, n, p->rest.len);
}

static bool take(struct parser *p, char c)
{
	if (peek(p) != c || p->rest.len == 0)
		return false;
	step(p, 1);
	return true;
}

static void skip_blanks(struct parser *p)
{
	while (peek(p) == ' ' || peek(p) == '\t')
		step(p, 1);
}

static void skip_comment(struct parser *p)
{
	skip_blanks(p);
	if (peek(p) != '#')
		return;
	while (p->rest.len > 0 && peek(p) != '\n')
		step(p, 1);
}

static bool take_newline(struct parser *p)
{
	if (xb_view_starts(p->rest, XB_VIEW("\r\n")))
		step(p, 1);
	if (!take(p, '\n'))
		return false;
	p->line++;
	return true;
}

/* Blank lines and comments, as they may be between lines and in arrays. */
static void skip_lines(struct parser *p)
{
	do
		skip_comment(p);
	while (take_newline(p));
}

static void append_utf8(struct xb_str *s, unsigned code)
{
	if (code < 0x80) {
		(void)xb_str_putc(s, (char)code);
		return;
	}
	if (code < 0x800) {
		(void)xb_str_putc(s, (char)(0xc0 | code >> 6));
	} else {
		(void)xb_str_putc(s,
				  (char)(code < 0x10000 ? 0xe0 | code >> 12 : 0xf0 | code >> 18));
		if (code >= 0x10000)
			(void)xb_str_putc(s, (char)(0x80 | (code >> 12 & 0x3f)));
		(void)xb_str_putc(s, (char)(0x80 | (code >> 6 & 0x3f)));
	}
	(void)xb_str_putc(s, (char)(0x80 | (code & 0x3f)));
}

static int take_code(struct parser *p, size_t digits, struct xb_str *ret)
{
	unsigned code = 0;

	for (size_t i = 0; i < digits; i++) {
		char c = peek(p);

		if (!isxdigit((unsigned char)c))
			return fault(p, "not a code of a character");
		code = code << 4 |
		       (unsigned)(isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10);
		step(p, 1);
	}
	if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return fault(p, "not a code of a character");
	append_utf8(ret, code);
	return 0;
}

static int take_escape(struct parser *p, struct xb_str *ret)
{
	static const char letters[] = "btnfr\"\\", bytes[] = "\b\t\n\f\r\"\\";
	char c = peek(p);
	const char *found = c != '\0' ? strchr(letters, c) : NULL;

	if (p->rest.len > 0)
		step(p, 1);
	if (c == 'u' || c == 'U')
		return take_code(p, c == 'u' ? 4 : 8, ret);
	if (found == NULL)
		return fault(p, "an escape that there is not");
	(void)xb_str_putc(ret, bytes[found - letters]);
	return 0;
}

/* A string on one line, in either kind of quotes, appended to `ret`. */
static int take_string(struct parser *p, struct xb_str *ret)
{
	char quote = peek(p);
	int r = 0;

	if (xb_view_starts(p->rest, XB_VIEW("\"\"\"")) || xb_view_starts(p->rest, XB_VIEW("'''")))
		return fault(p, "strings of several lines are not read here");
	step(p, 1);
	while (r == 0 && !take(p, quote)) {
		char c = peek(p);

		if ((unsigned char)c < ' ' && c != '\t')
			return fault(p, "a string without an end");
		step(p, 1);
		if (c == '\\' && quote == '"')
			r = take_escape(p, ret);
		else
			(void)xb_str_putc(ret, c);
	}
	return r;
}

/* One name of a key. */
static int take_name(struct parser *p, struct xb_str *ret)
{
	if (peek(p) == '"' || peek(p) == '\'')
		return take_string(p, ret);
	while (isalnum((unsigned char)peek(p)) || peek(p) == '_' || peek(p) == '-') {
		(void)xb_str_putc(ret, peek(p));
		step(p, 1);
	}
	return ret->len > 0 ? 0 : fault(p, "no key where one has to be");
}

/* The names of a dotted key. */
static int take_key(struct parser *p, struct xb_strv *names)
{
	do {
		xb_auto_str struct xb_str name = XB_STR_INIT(XB_MAX_TOML);
		int r;

		skip_blanks(p);
		r = take_name(p, &name);
		if (r < 0)
			return r;
		if (names->len == XB_MAX_TOML_LEVELS)
			return fault(p, "a key of too many names");
		xb_strv_push(names, xb_str_text(&name));
		skip_blanks(p);
	} while (take(p, '.'));
	return 0;
}

/* Set a member, whose reference is taken over; it must not be there. */
static int set_new(struct parser *p, json_t *object, const char *name, json_t *value)
{
	if (json_object_get(object, name) != NULL) {
		json_decref(value);
		return fault(p, "a key that is there already");
	}
	if (json_object_set_new(object, name, value) < 0)
		return fault(p, "a key that is not UTF-8");
	return 0;
}

/* The table `name` in `object`, made where it is missing; of an array of tables the last one. */
static int enter(struct parser *p, json_t *object, const char *name, json_t **ret)
{
	json_t *found = json_object_get(object, name);
	int r = 0;

	if (found == NULL) {
		found = json_object();
		r = set_new(p, object, name, found);
	} else if (json_is_array(found) && json_array_size(found) > 0) {
		found = json_array_get(found, json_array_size(found) - 1);
	}
	if (r == 0 && !json_is_object(found))
		r = fault(p, "a table where there is a value already");
	*ret = found;
	return r;
}

/* The table that holds the last name of a key. */
static int enter_all(struct parser *p, json_t *object, const struct xb_strv *names, json_t **ret)
{
	int r = 0;

	*ret = object;
	for (size_t i = 0; r == 0 && i + 1 < names->len; i++)
		r = enter(p, *ret, names->items[i], ret);
	return r;
}

static int take_value(struct parser *p, unsigned level, json_t **ret);

static int take_pair(struct parser *p, json_t *table, unsigned level)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	json_t *value = NULL, *holder = NULL;
	int r = take_key(p, &names);

	if (r == 0 && !take(p, '='))
		r = fault(p, "no '=' behind a key");
	if (r == 0)
		r = take_value(p, level, &value);
	if (r < 0)
		return r;
	r = enter_all(p, table, &names, &holder);
	if (r == 0)
		return set_new(p, holder, names.items[names.len - 1], value);
	json_decref(value);
	return r;
}

static int take_inline_table(struct parser *p, json_t *table, unsigned level)
{
	int r = 0;

	step(p, 1);
	skip_blanks(p);
	if (take(p, '}'))
		return 0;
	do {
		r = take_pair(p, table, level);
		skip_blanks(p);
	} while (r == 0 && take(p, ','));
	if (r == 0 && !take(p, '}'))
		r = fault(p, "an inline table without an end");
	return r;
}

static int take_array(struct parser *p, json_t *array, unsigned level)
{
	step(p, 1);
	for (;;) {
		json_t *value = NULL;
		int r;

		skip_lines(p);
		if (take(p, ']'))
			return 0;
		r = take_value(p, level, &value);
		if (r < 0)
			return r;
		(void)json_array_append_new(array, value);
		skip_lines(p);
		if (!take(p, ',') && peek(p) != ']')
			return fault(p, "an array without an end");
	}
}

static int take_text(struct parser *p, json_t **ret)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_TOML);
	int r = take_string(p, &text);

	if (r < 0)
		return r;
	*ret = json_stringn(xb_str_text(&text), text.len);
	return *ret != NULL ? 0 : fault(p, "a string that is not UTF-8");
}

/* true, false, or a whole number. */
static int take_word(struct parser *p, json_t **ret)
{
	struct xb_view word = { p->rest.data, 0 };
	uint64_t number = 0;

	while (word.len < p->rest.len && (isalnum((unsigned char)word.data[word.len]) ||
					  strchr("+-._:", word.data[word.len]) != NULL))
		word.len++;
	step(p, word.len);
	if (xb_view_is(word, "true") || xb_view_is(word, "false"))
		*ret = json_boolean(word.len == 4);
	else if (xb_view_parse_u64(word, INT64_MAX, &number) == 0 &&
		 (word.len == 1 || word.data[0] != '0'))
		*ret = json_integer((json_int_t)number);
	else
		return fault(p, "a value that is not read here");
	return 0;
}

static int take_value(struct parser *p, unsigned level, json_t **ret)
{
	bool array;
	int r;

	skip_blanks(p);
	if (peek(p) == '"' || peek(p) == '\'')
		return take_text(p, ret);
	if (peek(p) != '[' && peek(p) != '{')
		return take_word(p, ret);
	if (level == XB_MAX_TOML_LEVELS)
		return fault(p, "too many levels");
	array = peek(p) == '[';
	*ret = array ? json_array() : json_object();
	r = array ? take_array(p, *ret, level + 1) : take_inline_table(p, *ret, level + 1);
	if (r < 0) {
		json_decref(*ret);
		*ret = NULL;
	}
	return r;
}

/* A header must not name a table twice. */
static int name_once(struct parser *p, const struct xb_strv *names, json_t *table)
{
	/* of an array's tables each has its own, hence the address */
	xb_autofree char *path = xb_strv_join(names, "\n");
	xb_autofree char *name = xb_format("%p %s", (void *)table, path);

	if (p->named.len == MAX_HEADERS)
		return fault(p, "too many tables");
	if (xb_strv_find(&p->named, name) >= 0)
		return fault(p, "a table that is there already");
	xb_strv_push(&p->named, name);
	return 0;
}

static int begin_table(struct parser *p, const struct xb_strv *names)
{
	json_t *holder = NULL;
	const char *last = names->items[names->len - 1];
	int r = enter_all(p, p->root, names, &holder);

	if (r == 0 && json_is_array(json_object_get(holder, last)))
		return fault(p, "a table where there is an array already");
	if (r == 0)
		r = enter(p, holder, last, &p->table);
	return r < 0 ? r : name_once(p, names, p->table);
}

static int begin_element(struct parser *p, const struct xb_strv *names)
{
	json_t *holder = NULL, *array;
	const char *last = names->items[names->len - 1];
	int r = enter_all(p, p->root, names, &holder);

	if (r < 0)
		return r;
	array = json_object_get(holder, last);
	if (array == NULL) {
		array = json_array();
		r = set_new(p, holder, last, array);
	}
	/* "[[x]]" must not go on with "x = []" */
	if (r == 0 && (!json_is_array(array) ||
		       (json_array_size(array) > 0 && !json_is_object(json_array_get(array, 0)))))
		r = fault(p, "an array of tables where there is a value already");
	if (r < 0)
		return r;
	p->table = json_object();
	(void)json_array_append_new(array, p->table);
	return 0;
}

static int take_header(struct parser *p)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	bool element = xb_view_starts(p->rest, XB_VIEW("[["));
	int r;

	step(p, element ? 2 : 1);
	r = take_key(p, &names);
	if (r == 0 && (!take(p, ']') || (element && !take(p, ']'))))
		r = fault(p, "a header without an end");
	if (r < 0)
		return r;
	return element ? begin_element(p, &names) : begin_table(p, &names);
}

static int take_line(struct parser *p)
{
	int r = peek(p) == '[' ? take_header(p) : take_pair(p, p->table, 0);

	if (r < 0)
		return r;
	skip_comment(p);
	if (p->rest.len > 0 && !take_newline(p))
		return fault(p, "something behind the end of a value");
	return 0;
}

int xb_toml_parse(struct xb_view text, json_t **ret, struct xb_error *err)
{
	xb_auto_json json_t *root = json_object();
	struct parser p = { .rest = text, .line = 1, .root = root, .table = root, .err = err };
	int r = 0;

	if (text.len > XB_MAX_TOML)
		return xb_error_set(err, -EFBIG, "more than %zu bytes", XB_MAX_TOML);
	if (xb_view_starts(p.rest, XB_VIEW("\xef\xbb\xbf")))
		step(&p, 3);
	for (skip_lines(&p); r == 0 && p.rest.len > 0; skip_lines(&p))
		r = take_line(&p);
	xb_strv_clear(&p.named);
	if (r == 0)
		*ret = XB_STEAL(root);
	return r;
}
