/* SPDX-License-Identifier: Apache-2.0 */
/* Expansion: all vectors of the reference builder, and what they leave out. */
#include "builder/dockerfile/expand.h"

#include <stdlib.h>

#include "builder/dockerfile/limits.h"
#include "tests/unit/builder/dockerfile/data.h"
#include "tests/unit/corpora.h"

/* An environment of variables for the shorthands below. */
static struct xb_expand_env with(struct xb_strv *variables)
{
	return (struct xb_expand_env){ .lookup = xb_expand_lookup_env,
				       .ctx = variables,
				       .escape = '\\' };
}

static void fill(struct xb_strv *out, const json_t *strings)
{
	size_t i;
	json_t *string;

	json_array_foreach(strings, i, string) xb_strv_push(out, json_string_value(string));
}

static void assert_strings(const char *input, const struct xb_strv *got, const json_t *want)
{
	xb_auto_strv struct xb_strv expected = XB_STRV_INIT;
	xb_autofree char *a = xb_strv_join(got, "|");
	xb_autofree char *b = NULL;

	fill(&expected, want);
	b = xb_strv_join(&expected, "|");
	if (!xb_strv_eq(got, &expected))
		fail_msg("%s: got %s, want %s", input, a, b);
}

static void try_words(const json_t *vector, const struct xb_expand_env *env)
{
	const char *input = data_string(vector, "input");
	xb_auto_strv struct xb_strv words = XB_STRV_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_expand_words(input, env, &words, &err) < 0)
		fail_msg("%s: %s", input, err.message);
	assert_strings(input, &words, json_object_get(vector, "words"));
}

static void try_word(const json_t *vector, struct xb_expand_env *env)
{
	const char *input = data_string(vector, "input");
	xb_auto_strv struct xb_strv used = XB_STRV_INIT;
	xb_auto_strv struct xb_strv unset = XB_STRV_INIT;
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_MAX_EXPANSION);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int r;

	env->used = &used;
	env->unset = &unset;
	r = xb_expand_word(input, env, &out, &err);
	if (json_is_true(json_object_get(vector, "error"))) {
		if (r == 0)
			fail_msg("%s: no error but \"%s\"", input, xb_str_text(&out));
		assert_int_equal(err.fault, XB_FAULT_SOURCE);
		return;
	}
	if (r < 0)
		fail_msg("%s: %s", input, err.message);
	if (strcmp(xb_str_text(&out), data_string(vector, "word")) != 0)
		fail_msg("%s: got \"%s\", want \"%s\"", input, xb_str_text(&out),
			 data_string(vector, "word"));
	if (json_object_get(vector, "used") == NULL)
		return;
	assert_strings(input, &used, json_object_get(vector, "used"));
	assert_strings(input, &unset, json_object_get(vector, "unset"));
}

static void test_vectors(void **state)
{
	xb_auto_json json_t *vectors = corpora_vectors("expansion");
	json_t *vector;
	size_t i;

	(void)state;
	json_array_foreach(vectors, i, vector)
	{
		xb_auto_strv struct xb_strv variables = XB_STRV_INIT;
		struct xb_expand_env env;

		fill(&variables, json_object_get(vector, "env"));
		env = with(&variables);
		if (strcmp(data_string(vector, "kind"), "words") == 0)
			try_words(vector, &env);
		else
			try_word(vector, &env);
	}
	print_message("%zu expansion vectors right\n", json_array_size(vectors));
	assert_true(json_array_size(vectors) > 150);
}

struct example {
	const char *word;
	const char *result;
};

/* Check words under A=1, P=/usr/bin:/bin, E= (empty) and M, two lines. */
static void try_examples(const struct example *examples, size_t count, struct xb_expand_env env)
{
	xb_auto_strv struct xb_strv variables = XB_STRV_INIT;

	xb_strv_push(&variables, "A=1");
	xb_strv_push(&variables, "P=/usr/bin:/bin");
	xb_strv_push(&variables, "E=");
	xb_strv_push(&variables, "M=one\ntwo");
	env.lookup = xb_expand_lookup_env;
	env.ctx = &variables;
	for (size_t i = 0; i < count; i++) {
		xb_auto_str struct xb_str out = XB_STR_INIT(XB_MAX_EXPANSION);
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (xb_expand_word(examples[i].word, &env, &out, &err) < 0)
			fail_msg("%s: %s", examples[i].word, err.message);
		if (strcmp(xb_str_text(&out), examples[i].result) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", examples[i].word, xb_str_text(&out),
				 examples[i].result);
	}
}

static void test_more_words(void **state)
{
	static const struct example examples[] = {
		{ "", "" },
		{ "$", "$" },
		{ "a$", "a$" },
		{ "$(date)", "$(date)" },
		{ "${A}", "1" },
		{ "${A+x}${E+x}${E:+y}${U+z}", "xx" },
		{ "${U:-\"a b\"}", "a b" },
		{ "${U:-'$A'}", "$A" },
		{ "${U:-${U:-${A}}}", "1" },
		{ "${P#*/}", "usr/bin:/bin" },
		{ "${P##*/}", "bin" },
		{ "${P%/*}", "/usr/bin:" },
		{ "${P%%/*}", "" },
		{ "${P%%:*}", "/usr/bin" },
		{ "${P#x}", "/usr/bin:/bin" },
		{ "${P/bin/sbin}", "/usr/sbin:/bin" },
		{ "${P//bin/sbin}", "/usr/sbin:/sbin" },
		{ "${P//\\//-}", "-usr-bin:-bin" },
		{ "${P//bin/}", "/usr/:/" },
		{ "${P//x/y}", "/usr/bin:/bin" },
		{ "${P/*:/}", "/bin" },
		{ "${P//*/x}", "x" },
		{ "${E//*/x}", "x" },
		{ "${A///-}", "-1-" },
		{ "${M#*n}", "e\ntwo" },
		{ "${M#*t}", "one\ntwo" },
		{ "${M%w?}", "one\nt" },
		{ "\"${A}\"'${A}'\\${A}", "1${A}${A}" },
		{ "$A$A", "11" },
		{ "$A_", "" },
		{ "${A}_", "1_" },
		{ "caf\xC3\xA9$A\xE2\x80\x93", "caf\xC3\xA9"
					       "1\xE2\x80\x93" },
		{ "a\xFF$A", "a\xFF"
			     "1" },
	};

	(void)state;
	try_examples(examples, XB_COUNT(examples), (struct xb_expand_env){ .escape = '\\' });
}

static void test_backtick(void **state)
{
	static const struct example examples[] = {
		{ "C:\\dir", "C:\\dir" },
		{ "`$A", "$A" },
		{ "\"`$A``\\n\"", "$A`\\n" },
		{ "${P//`//-}", "-usr-bin:-bin" },
	};

	(void)state;
	try_examples(examples, XB_COUNT(examples), (struct xb_expand_env){ .escape = '`' });
}

static void test_kept_quotes(void **state)
{
	static const struct example kept[] = {
		{ "it's \"$A\"\n", "it's \"1\"\n" },
		{ "\\$A", "$A" },
	};
	static const struct example raw[] = {
		{ "'$A' \"$A\"", "'$A' \"1\"" },
		{ "echo \"\\\"\"", "echo \"\"\"" },
	};
	static const struct example unset[] = {
		{ "$U ${U} ${U:-x} ${U/a/b} $A", "$U ${U} ${U:-x} ${U/a/b} 1" },
		{ "${U?gone}", "${U?gone}" },
	};
	static const struct example escapes[] = {
		{ "a\\ b \"\\$A\"", "a\\ b \"\\$A\"" },
	};

	(void)state;
	try_examples(kept, XB_COUNT(kept),
		     (struct xb_expand_env){ .escape = '\\', .keep_quotes = true });
	try_examples(raw, XB_COUNT(raw),
		     (struct xb_expand_env){ .escape = '\\', .raw_quotes = true });
	try_examples(unset, XB_COUNT(unset),
		     (struct xb_expand_env){ .escape = '\\', .skip_unset = true });
	try_examples(
		escapes, XB_COUNT(escapes),
		(struct xb_expand_env){ .escape = '\\', .raw_quotes = true, .raw_escapes = true });
}

static void test_words(void **state)
{
	static const struct {
		const char *input;
		const char *words; /* with | between */
	} examples[] = {
		{ "", "" },
		{ "  ", "" },
		{ "''", "" },
		{ "80 443/tcp", "80|443/tcp" },
		{ "80${U:- 81}82", "80|8182" },
		{ "a\"b c\"d  e", "ab cd|e" },
		{ "a\xC2\xA0"
		  "b",
		  "a|b" },
		{ "x<< EOF y", "x<< EOF|y" },
	};
	xb_auto_strv struct xb_strv none = XB_STRV_INIT;
	struct xb_expand_env env = with(&none);

	(void)state;
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		xb_auto_strv struct xb_strv words = XB_STRV_INIT;
		xb_autofree char *joined = NULL;

		assert_int_equal(xb_expand_words(examples[i].input, &env, &words, NULL), 0);
		joined = xb_strv_join(&words, "|");
		assert_string_equal(joined, examples[i].words);
	}
}

/* A failed split leaves the vector as it was. */
static void test_words_error(void **state)
{
	xb_auto_strv struct xb_strv words = XB_STRV_INIT;
	xb_auto_strv struct xb_strv none = XB_STRV_INIT;
	struct xb_expand_env env = with(&none);

	(void)state;
	xb_strv_push(&words, "before");
	assert_int_equal(xb_expand_words("a b c 'd", &env, &words, NULL), -EINVAL);
	assert_int_equal(words.len, 1);
}

static void test_messages(void **state)
{
	static const struct {
		const char *word;
		const char *message;
	} examples[] = {
		{ "${U?}", "U: is not allowed to be unset" },
		{ "${E:?}", "E: is not allowed to be empty" },
		{ "${U:?set it with --build-arg}", "U: set it with --build-arg" },
		{ "${U", "missing '}'" },
		{ "${", "missing '}'" },
		{ "${U:-", "missing '}'" },
		{ "${}", "bad substitution" },
		{ "${U=x}", "unsupported modifier" },
		{ "${U:=x}", "unsupported modifier" },
		{ "${A/x", "missing '/'" },
		{ "${A/x/y", "missing '}'" },
		{ "${A#\\a}", "invalid escape" },
		{ "'a", "single-quote" },
		{ "\"a", "double-quote" },
	};
	xb_auto_strv struct xb_strv variables = XB_STRV_INIT;
	struct xb_expand_env env = with(&variables);

	(void)state;
	xb_strv_push(&variables, "A=1");
	xb_strv_push(&variables, "E=");
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		xb_auto_str struct xb_str out = XB_STR_INIT(XB_MAX_EXPANSION);
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_int_equal(xb_expand_word(examples[i].word, &env, &out, &err), -EINVAL);
		if (strstr(err.message, examples[i].message) == NULL)
			fail_msg("%s: %s", examples[i].word, err.message);
	}
}

static void nest(struct xb_str *out, unsigned depth)
{
	xb_str_reset(out);
	for (unsigned i = 0; i < depth; i++)
		(void)xb_str_puts(out, "${U:-");
	for (unsigned i = 0; i < depth; i++)
		(void)xb_str_putc(out, '}');
}

static void test_limits(void **state)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str out = XB_STR_INIT(1000);
	xb_auto_strv struct xb_strv variables = XB_STRV_INIT;
	struct xb_expand_env env = with(&variables);

	(void)state;
	nest(&text, XB_MAX_NESTING);
	assert_int_equal(xb_expand_word(xb_str_text(&text), &env, &out, NULL), 0);
	nest(&text, XB_MAX_NESTING + 1);
	assert_int_equal(xb_expand_word(xb_str_text(&text), &env, &out, NULL), -EFBIG);
	xb_strv_push(&variables, "A=0123456789012345678901234567890123456789");
	xb_str_reset(&text);
	for (unsigned i = 0; i < 26; i++)
		(void)xb_str_puts(&text, "$A");
	assert_int_equal(xb_expand_word(xb_str_text(&text), &env, &out, NULL), -EFBIG);
	assert_true(out.len <= 1000);
}

/* A pattern and a value that take quadratic time end in an error, soon. */
static void test_pattern_work(void **state)
{
	xb_auto_str struct xb_str value = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str word = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_MAX_EXPANSION);
	xb_auto_strv struct xb_strv variables = XB_STRV_INIT;
	struct xb_expand_env env = with(&variables);

	(void)state;
	(void)xb_str_puts(&value, "V=");
	for (unsigned i = 0; i < 400000; i++)
		(void)xb_str_putc(&value, 'a');
	xb_strv_push(&variables, xb_str_text(&value));
	(void)xb_str_puts(&word, "${V##*");
	for (unsigned i = 0; i < 200000; i++)
		(void)xb_str_putc(&word, 'a');
	(void)xb_str_puts(&word, "b}");
	assert_int_equal(xb_expand_word(xb_str_text(&word), &env, &out, NULL), -EFBIG);
	xb_str_reset(&out);
	assert_int_equal(xb_expand_word("${V//a*b/x}", &env, &out, NULL), -EFBIG);
	xb_str_reset(&out);
	assert_int_equal(xb_expand_word("${V//*b/x}", &env, &out, NULL), 0);
	assert_int_equal(out.len, 400000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),	     cmocka_unit_test(test_more_words),
		cmocka_unit_test(test_backtick),     cmocka_unit_test(test_kept_quotes),
		cmocka_unit_test(test_words),	     cmocka_unit_test(test_words_error),
		cmocka_unit_test(test_messages),     cmocka_unit_test(test_limits),
		cmocka_unit_test(test_pattern_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
