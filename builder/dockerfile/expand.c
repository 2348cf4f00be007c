/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/expand.h"

#include <errno.h>
#include <string.h>

#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/pattern.h"
#include "builder/dockerfile/text.h"

/* The end of the text as a stop character and as what peek() sees there. */
#define END (-1)

struct expander {
	const struct xb_expand_env *env;
	struct xb_view in;
	size_t pos;
	unsigned depth;
	bool raw_escapes;
	size_t work; /* what this word may cost still */
	struct xb_error *err;
};

/* Cuts what is added to it into words at unquoted white space. */
struct splitter {
	struct xb_strv *out;
	struct xb_str word;
};

static int expand_until(struct expander *x, int stop, struct xb_str *out, struct splitter *words);

static int peek(const struct expander *x)
{
	return x->pos < x->in.len ? (unsigned char)x->in.data[x->pos] : END;
}

static int next(struct expander *x)
{
	return x->pos < x->in.len ? (unsigned char)x->in.data[x->pos++] : END;
}

static int too_large(struct expander *x, const struct xb_str *out)
{
	return xb_error_set(x->err, -EFBIG, "the expanded word is larger than %zu bytes", out->max);
}

static int syntax(struct expander *x, const char *what)
{
	return xb_error_set(x->err, -EINVAL, "%s", what);
}

static int too_much_work(struct expander *x)
{
	return xb_error_set(x->err, -EFBIG, "the substitutions take too long");
}

/* Words. */

static void end_word(struct splitter *words)
{
	if (words->word.len > 0)
		xb_strv_push_view(words->out, xb_str_view(&words->word));
	xb_str_reset(&words->word);
}

static void add_quoted(struct splitter *words, struct xb_view text)
{
	if (words != NULL)
		(void)xb_str_append_view(&words->word, text);
}

static void add_plain(struct splitter *words, struct xb_view text)
{
	size_t pos = 0, from = 0, len;

	if (words == NULL)
		return;
	while (pos < text.len) {
		len = xb_text_space(text, pos);
		if (len == 0) {
			pos++;
			continue;
		}
		(void)xb_str_append(&words->word, text.data + from, pos - from);
		end_word(words);
		pos += len;
		from = pos;
	}
	(void)xb_str_append(&words->word, text.data + from, text.len - from);
}

static struct xb_view since(const struct xb_str *out, size_t from)
{
	return xb_view_sub(xb_str_view(out), from, out->len - from);
}

/* Variables. */

static void spend(struct expander *x, size_t work)
{
	x->work = x->work > work ? x->work - work : 0;
}

static bool find_variable(struct expander *x, struct xb_view name, const char **value)
{
	bool found = x->env->lookup(x->env->ctx, name, value);
	struct xb_strv *names = found ? x->env->used : x->env->unset;

	if (!found)
		*value = "";
	spend(x, strlen(*value));
	if (names != NULL)
		xb_strv_push_view(names, name);
	return found;
}

/* A number, one of the special parameters of a shell, or letters, digits and "_". */
static struct xb_view read_name(struct expander *x)
{
	size_t from = x->pos, pos = x->pos;
	int c = peek(x);
	bool number = c >= '0' && c <= '9';

	if (c != END && c != 0 && strchr("@*#?-$!", c) != NULL) {
		x->pos++;
	} else {
		while (pos < x->in.len) {
			uint32_t rune = xb_rune_next(x->in, &pos);

			if (!xb_rune_is_name(rune) || (number && (rune < '0' || rune > '9')))
				break;
			x->pos = pos;
		}
	}
	return xb_view_sub(x->in, from, x->pos - from);
}

/* What stands behind the name: '-' '+' '?' '#' '%' '/' and whether an empty value counts as unset
 * (for '#', '%', '/': whether the sign was doubled). */
struct modifier {
	int sign;
	bool twice;
};

static int fail_unset(struct expander *x, struct xb_view name, bool set, struct xb_view word)
{
	if (word.len == 0)
		word = set ? XB_VIEW("is not allowed to be empty")
			   : XB_VIEW("is not allowed to be unset");
	return xb_error_set(x->err, -EINVAL, "%.*s: %.*s", XB_VIEW_ARGS(name), XB_VIEW_ARGS(word));
}

/* ${name-word} and its relatives; `word` is expanded already. */
static int apply_word(struct expander *x, struct xb_view name, struct modifier mod,
		      struct xb_view word, struct xb_str *out)
{
	const char *value = "";
	bool set = find_variable(x, name, &value);
	bool counts = set && !(mod.twice && value[0] == 0);

	if (!set && x->env->skip_unset)
		return 0;
	if (mod.sign == '?' && !counts)
		return fail_unset(x, name, set, word);
	if (mod.sign == '+')
		(void)xb_str_append_view(out, counts ? word : XB_VIEW(""));
	else
		(void)xb_str_append_view(out, counts ? xb_view(value) : word);
	return 0;
}

static int apply_trim(struct expander *x, struct xb_view name, struct modifier mod,
		      struct xb_view pattern, struct xb_str *out)
{
	const char *value = "";
	struct xb_pattern_job job = { .pattern = pattern,
				      .escape = x->env->escape,
				      .steps = &x->work };

	if (!find_variable(x, name, &value) && x->env->skip_unset)
		return 0;
	job.value = xb_view(value);
	return xb_pattern_trim(&job, mod.sign == '%', mod.twice, out, x->err);
}

/* Up to the '}' that ends a substitution, or the '/' within. */
static int read_part(struct expander *x, int stop, bool raw_escapes, struct xb_str *out)
{
	bool before = x->raw_escapes;
	int r;

	x->raw_escapes = raw_escapes || before;
	r = expand_until(x, stop, out, NULL);
	x->raw_escapes = before;
	return r;
}

static int apply_replace(struct expander *x, struct xb_view name, struct modifier mod,
			 struct xb_str *out)
{
	xb_auto_str struct xb_str pattern = XB_STR_INIT(out->max);
	xb_auto_str struct xb_str replacement = XB_STR_INIT(out->max);
	struct xb_pattern_job job = { .escape = x->env->escape, .steps = &x->work };
	const char *value = "";
	size_t mark = out->len;
	int r = read_part(x, '/', true, &pattern);

	if (r == 0)
		r = read_part(x, '}', true, &replacement);
	if (r < 0)
		return r;
	if (!find_variable(x, name, &value) && x->env->skip_unset)
		return 0;
	job.pattern = xb_str_view(&pattern);
	job.value = xb_view(value);
	r = xb_pattern_replace(&job, xb_str_view(&replacement), mod.twice, out, x->err);
	if (out->len > mark)
		spend(x, out->len - mark);
	return r;
}

static int read_modifier(struct expander *x, struct modifier *ret)
{
	int c = next(x);

	ret->twice = false;
	if (c == END)
		return syntax(x, "syntax error: missing '}'");
	if (c == ':') {
		ret->twice = true;
		c = next(x);
		if (c == END || strchr("-+?", c) == NULL)
			return syntax(x, "unsupported modifier behind ':' in substitution");
	} else if (strchr("-+?#%/", c) == NULL || c == 0) {
		return syntax(x, "unsupported modifier in substitution");
	} else if ((c == '#' || c == '%' || c == '/') && peek(x) == c) {
		ret->twice = true;
		x->pos++;
	}
	ret->sign = c;
	return 0;
}

/* Behind "${name" when no '}' follows. */
static int expand_modified(struct expander *x, struct xb_view name, struct xb_str *out)
{
	xb_auto_str struct xb_str word = XB_STR_INIT(out->max);
	struct modifier mod = { 0 };
	bool pattern;
	int r = read_modifier(x, &mod);

	if (r < 0)
		return r;
	if (mod.sign == '/')
		return apply_replace(x, name, mod, out);
	pattern = mod.sign == '#' || mod.sign == '%';
	r = read_part(x, '}', pattern, &word);
	if (r < 0)
		return r;
	if (pattern)
		return apply_trim(x, name, mod, xb_str_view(&word), out);
	return apply_word(x, name, mod, xb_str_view(&word), out);
}

static bool is_unset(struct expander *x, struct xb_view name)
{
	const char *value;

	return !x->env->lookup(x->env->ctx, name, &value);
}

/* Behind "${". */
static int expand_braced(struct expander *x, size_t from, struct xb_str *out)
{
	size_t mark = out->len;
	const char *value;
	struct xb_view name;
	int r = 0;

	if (peek(x) == END)
		return syntax(x, "syntax error: missing '}'");
	name = read_name(x);
	if (name.len == 0)
		return syntax(x, "syntax error: bad substitution");
	if (peek(x) == '}') {
		x->pos++;
		(void)find_variable(x, name, &value);
		(void)xb_str_puts(out, value);
	} else {
		r = expand_modified(x, name, out);
	}
	if (r == 0 && x->env->skip_unset && is_unset(x, name)) {
		xb_str_truncate(out, mark);
		(void)xb_str_append_view(out, xb_view_sub(x->in, from, x->pos - from));
	}
	return r;
}

static int expand_dollar(struct expander *x, struct xb_str *out)
{
	size_t from = x->pos++;
	struct xb_view name;
	const char *value;
	int r;

	if (peek(x) == '{') {
		if (x->depth >= XB_MAX_NESTING)
			return xb_error_set(x->err, -EFBIG,
					    "substitutions are nested more than %u deep",
					    XB_MAX_NESTING);
		x->pos++;
		x->depth++;
		r = expand_braced(x, from, out);
		x->depth--;
		return r;
	}
	name = read_name(x);
	if (name.len == 0)
		return xb_str_putc(out, '$'), 0;
	if (!find_variable(x, name, &value) && x->env->skip_unset)
		(void)xb_str_append_view(out, xb_view_sub(x->in, from, x->pos - from));
	else
		(void)xb_str_puts(out, value);
	return 0;
}

/* Quotes. */

static int expand_single(struct expander *x, struct xb_str *out)
{
	struct xb_view rest = xb_view_sub(x->in, x->pos + 1, x->in.len);
	ptrdiff_t len = xb_view_find(rest, '\'');
	size_t raw = x->env->raw_quotes ? 1 : 0;

	if (len < 0)
		return syntax(x, "unexpected end of statement while looking for matching "
				 "single-quote");
	(void)xb_str_append(out, rest.data - raw, (size_t)len + raw + raw);
	x->pos += (size_t)len + 2;
	return 0;
}

/* An escape character in double quotes: it acts before " $ and itself, else it is ordinary. */
static void expand_quoted_escape(struct expander *x, struct xb_str *out)
{
	int escape = next(x);
	int c = peek(x);

	if (c == END)
		return;
	if (c != '"' && c != '$' && c != escape) {
		(void)xb_str_putc(out, (char)escape);
		return;
	}
	if (x->raw_escapes)
		(void)xb_str_putc(out, (char)escape);
	(void)xb_str_putc(out, (char)next(x));
}

static int expand_double(struct expander *x, struct xb_str *out)
{
	int r = 0;

	x->pos++;
	if (x->env->raw_quotes)
		(void)xb_str_putc(out, '"');
	while (r == 0) {
		int c = peek(x);

		if (xb_str_overflowed(out))
			return too_large(x, out);
		if (x->work == 0)
			return too_much_work(x);
		if (c == END)
			return syntax(x, "unexpected end of statement while looking for matching "
					 "double-quote");
		if (c == '"')
			break;
		if (c == '$')
			r = expand_dollar(x, out);
		else if (c == (unsigned char)x->env->escape)
			expand_quoted_escape(x, out);
		else
			(void)xb_str_putc(out, (char)next(x));
	}
	x->pos++;
	if (r == 0 && x->env->raw_quotes)
		(void)xb_str_putc(out, '"');
	return r;
}

/* Everything. */

/* "<<" takes the blanks behind it into its word, so that a here-document's name stays with it. */
static void expand_less(struct expander *x, struct xb_str *out, struct splitter *words)
{
	size_t mark = out->len;

	(void)xb_str_putc(out, (char)next(x));
	if (peek(x) == '<') {
		do
			(void)xb_str_putc(out, (char)next(x));
		while (peek(x) == ' ' || peek(x) == '\t' || peek(x) == '\r');
	}
	add_quoted(words, since(out, mark));
}

static void expand_escape(struct expander *x, struct xb_str *out, struct splitter *words)
{
	struct xb_view escape = xb_view_sub(x->in, x->pos++, 1);
	size_t from = x->pos;

	if (x->raw_escapes) {
		(void)xb_str_append_view(out, escape);
		add_quoted(words, escape);
	}
	if (peek(x) == END)
		return;
	(void)xb_rune_next(x->in, &x->pos);
	(void)xb_str_append(out, x->in.data + from, x->pos - from);
	add_quoted(words, xb_view_sub(x->in, from, x->pos - from));
}

/* A run of characters without meaning. */
static void expand_plain(struct expander *x, int stop, struct xb_str *out, struct splitter *words)
{
	size_t from = x->pos++;
	int c;

	while ((c = peek(x)) != END && c != stop && c != '$' && c != '\'' && c != '"' && c != '<' &&
	       c != (unsigned char)x->env->escape)
		x->pos++;
	(void)xb_str_append(out, x->in.data + from, x->pos - from);
	add_plain(words, xb_view_sub(x->in, from, x->pos - from));
}

static int expand_quotes(struct expander *x, int quote, struct xb_str *out, struct splitter *words)
{
	size_t mark = out->len;
	int r = quote == '"' ? expand_double(x, out) : expand_single(x, out);

	if (r == 0)
		add_quoted(words, since(out, mark));
	return r;
}

static int expand_until(struct expander *x, int stop, struct xb_str *out, struct splitter *words)
{
	int r = 0, c;

	while (r == 0 && (c = peek(x)) != END) {
		size_t mark = out->len;

		if (c == stop) {
			x->pos++;
			return 0;
		}
		if (c == '$') {
			r = expand_dollar(x, out);
			add_plain(words, since(out, mark));
		} else if ((c == '"' || c == '\'') && !x->env->keep_quotes) {
			r = expand_quotes(x, c, out, words);
		} else if (c == '<') {
			expand_less(x, out, words);
		} else if (c == (unsigned char)x->env->escape) {
			expand_escape(x, out, words);
		} else {
			expand_plain(x, stop, out, words);
		}
		if (r == 0 && xb_str_overflowed(out))
			return too_large(x, out);
		if (r == 0 && x->work == 0)
			return too_much_work(x);
	}
	if (r == 0 && stop != END)
		return syntax(x, stop == '/' ? "syntax error: missing '/' in ${}"
					     : "syntax error: missing '}'");
	return r;
}

static void sort_names(struct xb_strv *names)
{
	size_t kept = 0;

	if (names == NULL || names->len < 2)
		return;
	xb_strv_sort(names);
	for (size_t i = 1; i < names->len; i++) {
		if (strcmp(names->items[kept], names->items[i]) == 0)
			continue;
		/* swap, so that the ones to drop gather at the end */
		char *name = names->items[++kept];

		names->items[kept] = names->items[i];
		names->items[i] = name;
	}
	while (names->len > kept + 1)
		xb_strv_remove(names, names->len - 1);
}

static int expand_all(const char *word, const struct xb_expand_env *env, struct xb_str *out,
		      struct splitter *words, struct xb_error *err)
{
	struct expander x = {
		.env = env, .in = xb_view(word), .raw_escapes = env->raw_escapes, .err = err
	};
	struct xb_view shown = xb_view_sub(x.in, 0, 200);
	size_t most = XB_MAX_PATTERN_STEPS + x.in.len;
	int r;

	if (env->work != NULL && *env->work < most)
		most = *env->work;
	x.work = most;
	r = expand_until(&x, END, out, words);
	if (env->work != NULL)
		*env->work -= most - x.work;

	sort_names(env->used);
	sort_names(env->unset);
	if (r == 0)
		return 0;
	(void)xb_error_wrap(err, r, "failed to process \"%.*s%s\"", XB_VIEW_ARGS(shown),
			    shown.len < x.in.len ? "..." : "");
	(void)xb_error_fault(err, XB_FAULT_SOURCE);
	return r;
}

int xb_expand_word(const char *word, const struct xb_expand_env *env, struct xb_str *out,
		   struct xb_error *err)
{
	return expand_all(word, env, out, NULL, err);
}

static void splitter_clear(struct splitter *words)
{
	xb_str_clear(&words->word);
}

int xb_expand_words(const char *word, const struct xb_expand_env *env, struct xb_strv *out,
		    struct xb_error *err)
{
	size_t len = strlen(word), before = out->len;
	size_t max = len > XB_MAX_EXPANSION / 2 ? len * 2 : XB_MAX_EXPANSION;
	xb_auto_str struct xb_str whole = XB_STR_INIT(max);
	XB_CLEANUP(splitter_clear) struct splitter words = { .out = out, .word = XB_STR_INIT(max) };
	int r = expand_all(word, env, &whole, &words, err);

	if (r == 0) {
		end_word(&words);
		return 0;
	}
	while (out->len > before)
		xb_strv_remove(out, out->len - 1);
	return r;
}

bool xb_expand_lookup_env(void *ctx, struct xb_view name, const char **ret_value)
{
	const struct xb_strv *env = ctx;

	for (size_t i = env->len; i > 0; i--) {
		const char *entry = env->items[i - 1];

		if (strncmp(entry, name.data, name.len) != 0 || entry[name.len] != '=')
			continue;
		*ret_value = entry + name.len + 1;
		return true;
	}
	return false;
}
