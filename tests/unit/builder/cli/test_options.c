/* SPDX-License-Identifier: Apache-2.0 */
/* Command-line options as people write them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "builder/cli/options.h"
#include "builder/cli/request.h"

struct target {
	bool quiet;
	bool all;
	const char *file;
	struct xb_strv tags;
};

static const struct xb_option table[] = {
	{ "quiet", 'q', XB_OPTION_FLAG, offsetof(struct target, quiet), NULL, "say little" },
	{ "all", 'a', XB_OPTION_FLAG, offsetof(struct target, all), NULL, "take all" },
	{ "file", 'f', XB_OPTION_TEXT, offsetof(struct target, file), "PATH", "a file" },
	{ "tag", 't', XB_OPTION_LIST, offsetof(struct target, tags), "NAME", "a name" },
	{ "file-mode", 0, XB_OPTION_TEXT, offsetof(struct target, file), "M", "a longer name" },
	{ "push", 0, XB_OPTION_LATER, 0, NULL, "" },
	{ "secret", 0, XB_OPTION_LATER, 0, NULL, "" },
	{ 0 },
};

/* Read a line of words between single blanks ("_" is an empty word) and show what it came to. */
static int read_line(const char *line, bool stop, struct xb_str *ret, struct xb_error *err)
{
	xb_auto_strv struct xb_strv words = XB_STRV_INIT;
	xb_auto_strv struct xb_strv operands = XB_STRV_INIT;
	xb_autofree char **argv = NULL;
	xb_autofree char *tags = NULL;
	xb_autofree char *rest = NULL;
	struct target target = { 0 };
	struct xb_view left = xb_view(line);
	struct xb_view word;
	int r;

	while (line[0] != '\0' && xb_view_split(&left, ' ', &word))
		xb_strv_push_view(&words, xb_view_is(word, "_") ? XB_VIEW("") : word);
	argv = xb_calloc(words.len + 1, sizeof(*argv));
	for (size_t i = 0; i < words.len; i++)
		argv[i] = words.items[i];
	r = xb_options_parse(table, argv, stop, &target, &operands, err);
	tags = xb_strv_join(&target.tags, ",");
	rest = xb_strv_join(&operands, "|");
	(void)xb_str_printf(ret, "%s%s f=%s t=%s %s", target.quiet ? "q" : "-",
			    target.all ? "a" : "-", target.file != NULL ? target.file : "none",
			    tags, rest);
	xb_strv_clear(&target.tags);
	return r;
}

static void test_good(void **state)
{
	static const struct {
		const char *line;
		const char *result;
	} cases[] = {
		{ "", "-- f=none t= " },
		{ ".", "-- f=none t= ." },
		{ "--quiet", "q- f=none t= " },
		{ "-q", "q- f=none t= " },
		{ "--quiet=true", "q- f=none t= " },
		{ "--quiet=false", "-- f=none t= " },
		{ "--quiet=1 --all=T", "qa f=none t= " },
		{ "--quiet=0", "-- f=none t= " },
		{ "-q=false", "-- f=none t= " },
		{ "--quiet --quiet=false", "-- f=none t= " },
		{ "--quiet .", "q- f=none t= ." },
		{ "--file x", "-- f=x t= " },
		{ "--file=x", "-- f=x t= " },
		{ "-f x", "-- f=x t= " },
		{ "-fx", "-- f=x t= " },
		{ "-f=x", "-- f=x t= " },
		{ "-f -", "-- f=- t= " },
		{ "--file=", "-- f= t= " },
		{ "--file _", "-- f= t= " },
		{ "--file=a=b", "-- f=a=b t= " },
		{ "-fa=b", "-- f=a=b t= " },
		{ "--file --quiet", "-- f=--quiet t= " },
		{ "-f a -f b", "-- f=b t= " },
		{ "--file-mode x", "-- f=x t= " },
		{ "-t a --tag b --tag=c -td", "-- f=none t=a,b,c,d " },
		/* several letters in one word, as docker takes them */
		{ "-qa", "qa f=none t= " },
		{ "-qt x", "q- f=none t=x " },
		{ "-qatx .", "qa f=none t=x ." },
		{ "-aq=false", "-a f=none t= " },
		/* operands anywhere; - is one; -- ends the options */
		{ "a -q b", "q- f=none t= a|b" },
		{ "-", "-- f=none t= -" },
		{ "-- -q --file", "-- f=none t= -q|--file" },
		{ "a -- b -- c", "-- f=none t= a|b|--|c" },
		{ "-f -- x", "-- f=-- t= x" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_str struct xb_str result = XB_STR_INIT(1000);
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (read_line(cases[i].line, false, &result, &err) < 0)
			fail_msg("%s: %s", cases[i].line, err.message);
		if (strcmp(xb_str_text(&result), cases[i].result) != 0)
			fail_msg("%s: %s", cases[i].line, xb_str_text(&result));
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *line;
		const char *message;
	} cases[] = {
		{ "--nonesuch", "unknown option --nonesuch" },
		{ "--nonesuch=x", "unknown option --nonesuch" },
		{ "--fil x", "unknown option --fil" },
		{ "--file-mod x", "unknown option --file-mod" },
		{ "--=x", "unknown option --" },
		{ "--QUIET", "unknown option --QUIET" },
		{ "-x", "unknown option -x" },
		{ "-qx", "unknown option -x" },
		{ "-qfile", "" }, /* -q, -f ile: good */
		{ "--file", "--file needs a value" },
		{ "-f", "-f needs a value" },
		{ "-q -t", "-t needs a value" },
		{ "-qt", "-t needs a value" },
		{ "--quiet=maybe", "--quiet takes no value but true or false" },
		{ "--quiet=", "--quiet takes no value but true or false" },
		{ "--push", "--push is not supported yet" },
		{ "--push=false", "--push is not supported yet" },
		{ "--secret id=x", "--secret is not supported yet" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_str struct xb_str result = XB_STR_INIT(1000);
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		int r = read_line(cases[i].line, false, &result, &err);

		if (cases[i].message[0] == '\0') {
			assert_int_equal(r, 0);
			continue;
		}
		if (r >= 0)
			fail_msg("%s is taken", cases[i].line);
		assert_int_equal(r, -EINVAL);
		assert_int_equal(err.fault, XB_FAULT_USAGE);
		assert_non_null(err.hint);
		if (strcmp(err.message, cases[i].message) != 0)
			fail_msg("%s: %s", cases[i].line, err.message);
	}
}

/* What follows the image is the command's own: `run -q debian ls -a`. */
static void test_stop(void **state)
{
	xb_auto_str struct xb_str one = XB_STR_INIT(1000);
	xb_auto_str struct xb_str two = XB_STR_INIT(1000);

	(void)state;
	assert_int_equal(read_line("-q debian ls -a -- --file", true, &one, NULL), 0);
	assert_string_equal(xb_str_text(&one), "q- f=none t= debian|ls|-a|--|--file");
	assert_int_equal(read_line("-q -- -odd ls", true, &two, NULL), 0);
	assert_string_equal(xb_str_text(&two), "q- f=none t= -odd|ls");
}

static void test_help(void **state)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(10000);

	(void)state;
	xb_options_help(table, &text);
	assert_non_null(strstr(xb_str_text(&text), "  -q, --quiet "));
	assert_non_null(strstr(xb_str_text(&text), "  -f, --file PATH "));
	assert_non_null(strstr(xb_str_text(&text), "      --file-mode M "));
	/* what is not there yet is not praised */
	assert_null(strstr(xb_str_text(&text), "push"));
}

/* The table of `build`: no name and no letter twice, a help for each. */
static void test_build_table(void **state)
{
	(void)state;
	for (const struct xb_option *a = xb_build_option_table; a->name != NULL; a++) {
		for (const struct xb_option *b = xb_build_option_table; b != a; b++) {
			assert_string_not_equal(a->name, b->name);
			assert_true(a->letter == 0 || a->letter != b->letter);
		}
		assert_non_null(a->help);
		if (a->kind == XB_OPTION_TEXT || a->kind == XB_OPTION_LIST)
			assert_non_null(a->value);
		if (a->kind != XB_OPTION_LATER)
			assert_true(strlen(a->help) > 0);
	}
}

/* What was read can be given again, but for what is left out. */
static void test_words(void **state)
{
	static const char *const line[] = { "-q",	   "--tag=x y", "--file", "f",
					    "--all=false", "-t",	"" };
	static const char *const nothing[] = { NULL };
	static const char *const tag[] = { "tag", "push", NULL };
	xb_auto_strv struct xb_strv argv = XB_STRV_INIT;
	xb_auto_strv struct xb_strv operands = XB_STRV_INIT;
	xb_auto_strv struct xb_strv words = XB_STRV_INIT;
	xb_auto_strv struct xb_strv fewer = XB_STRV_INIT;
	xb_autofree char *all = NULL;
	xb_autofree char *rest = NULL;
	struct target target = { 0 };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(line); i++)
		xb_strv_push(&argv, line[i]);
	assert_int_equal(
		xb_options_parse(table, xb_strv_argv(&argv), false, &target, &operands, NULL), 0);
	xb_options_words(table, &target, nothing, &words);
	all = xb_strv_join(&words, "|");
	/* two rows of the table have one member */
	assert_string_equal(all, "--quiet|--file|f|--tag|x y|--tag||--file-mode|f");
	xb_options_words(table, &target, tag, &fewer);
	rest = xb_strv_join(&fewer, "|");
	assert_string_equal(rest, "--quiet|--file|f|--file-mode|f");
	xb_strv_clear(&target.tags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words), cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),   cmocka_unit_test(test_stop),
		cmocka_unit_test(test_help),  cmocka_unit_test(test_build_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
