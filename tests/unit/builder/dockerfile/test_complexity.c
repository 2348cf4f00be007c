/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time grows with the size of the text and not faster, for families of generated Dockerfiles of up
 * to 4 MiB; memory too, up to a million lines.
 */
#include "builder/dockerfile/expand.h"
#include "builder/dockerfile/ignore.h"
#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/lint.h"
#include "tests/unit/builder/dockerfile/data.h"

#include "tests/unit/builder/complexity.h"

static void make_long_lines(struct xb_str *out, size_t size)
{
	(void)xb_str_puts(out, "FROM a\n");
	while (out->len < size) {
		size_t end = out->len + (size < 900000 ? size / 2 : 900000);

		(void)xb_str_puts(out, "RUN echo");
		while (out->len < end && out->len < size)
			(void)xb_str_puts(out, " word");
		(void)xb_str_putc(out, '\n');
	}
}

static void make_continuations(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM a\nRUN x", " \\\ny");
}

static void make_empty_continuations(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM a\nRUN x", "\\\n\n# comment\n\\\n");
}

static void make_one_heredoc(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM a\nRUN <<-EOF\n", "\tline of text\n");
	(void)xb_str_puts(out, "EOF\n");
}

static void make_heredocs(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM a\n", "COPY <<A <<'B' /d\na\nA\nb\nB\n");
}

static void make_heredocs_in_line(struct xb_str *out, size_t size)
{
	size_t count = size / 9;

	(void)xb_str_puts(out, "FROM a\nRUN");
	for (size_t i = 0; i < count; i++)
		(void)xb_str_printf(out, "%s<<E%s", i % 8 == 0 ? " \\\n" : " ", "");
	(void)xb_str_putc(out, '\n');
	for (size_t i = 0; i < count; i++)
		(void)xb_str_puts(out, "E\n");
}

static void make_args(struct xb_str *out, size_t size)
{
	repeat(out, size, "", "ARG A\n");
	(void)xb_str_puts(out, "FROM a\n");
}

static void make_stages(struct xb_str *out, size_t size)
{
	repeat(out, size, "", "FROM a AS b\n");
}

static void make_pairs(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM a\nENV", " a='b c' \\\n");
}

static void make_quotes(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM a\nLABEL a=", "\\\"\"'\"\\\n");
}

static void make_json(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM a\nCMD [\"a\"", ", \"\\u00e9b\" \\\n");
	(void)xb_str_putc(out, ']');
}

static void make_broken_json(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM a\nCMD [", "[[[\"a\", 1 \\\n");
}

static void make_flags(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM a\nRUN", " --mount=a,b=\"c d\" \\\n");
	(void)xb_str_puts(out, " x");
}

static void make_onbuild(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM a\nRUN x\n", "ONBUILD ");
}

static void make_comments(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM a\n", "#\n");
}

static void use_parse(const struct xb_str *text)
{
	xb_auto_dockerfile struct xb_dockerfile *dockerfile = NULL;

	(void)xb_dockerfile_parse(xb_str_view(text), "x", &dockerfile, NULL);
}

static void make_nested(struct xb_str *out, size_t size)
{
	while (out->len < size) {
		for (unsigned i = 0; i < XB_MAX_NESTING; i++)
			(void)xb_str_puts(out, "${a:-x");
		for (unsigned i = 0; i < XB_MAX_NESTING; i++)
			(void)xb_str_putc(out, '}');
	}
}

static void make_nested_too_deep(struct xb_str *out, size_t size)
{
	repeat(out, size, "", "${a:-");
}

static void make_variables(struct xb_str *out, size_t size)
{
	repeat(out, size, "", "$a\"$b\"'c'\\d ");
}

static void make_replacements(struct xb_str *out, size_t size)
{
	repeat(out, size, "", "${P//\\//-}${P##*/}${P%/*}");
}

static void use_expand(const struct xb_str *text)
{
	xb_auto_strv struct xb_strv variables = XB_STRV_INIT;
	xb_auto_strv struct xb_strv unset = XB_STRV_INIT;
	struct xb_expand_env env = {
		.lookup = xb_expand_lookup_env, .ctx = &variables, .escape = '\\', .unset = &unset
	};
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);
	xb_auto_strv struct xb_strv words = XB_STRV_INIT;

	xb_strv_push(&variables, "P=/usr/local/bin");
	(void)xb_expand_word(xb_str_text(text), &env, &out, NULL);
	(void)xb_expand_words(xb_str_text(text), &env, &words, NULL);
}

static void make_patterns(struct xb_str *out, size_t size)
{
	repeat(out, size, "", "**/a*b/../[a-c]?\n!x\n");
}

static void use_ignore(const struct xb_str *text)
{
	xb_auto_ignore struct xb_ignore *ignore = NULL;
	bool ignored;

	if (xb_ignore_parse(xb_str_view(text), "x", &ignore, NULL) == 0)
		(void)xb_ignore_match(ignore, XB_VIEW("some/path/of/a/file.txt"), &ignored, NULL);
}

static void make_undefined(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM scratch\n", "COPY $x /\n");
}

static void make_names(struct xb_str *out, size_t size)
{
	(void)xb_str_puts(out, "FROM scratch\n");
	for (unsigned i = 0; out->len < size; i++)
		(void)xb_str_printf(out, "ENV v%u=$v%u\nUSER $w%u\n", i, i / 2, i);
}

static void make_chain(struct xb_str *out, size_t size)
{
	(void)xb_str_puts(out, "FROM scratch AS s0\n");
	for (unsigned i = 0; out->len < size; i++)
		(void)xb_str_printf(out, "FROM s%u AS s%u\nENV v%u=$v%u\n", i, i + 1, i + 1, i);
}

static void make_checks(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM scratch\n# check=skip=all\nENV a=b", " \\\n  k=$x KEY=$y");
}

static void make_commands(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM scratch\n", "cmd x\nWORKDIR a\nEXPOSE 1:2/TCP\n");
}

static void make_globals(struct xb_str *out, size_t size)
{
	for (unsigned i = 0; out->len < size; i++)
		(void)xb_str_printf(out, "ARG g%u=$g%u\n", i + 1, i);
	(void)xb_str_puts(out, "FROM x$g1\n");
}

static void use_lint(const struct xb_str *text)
{
	xb_auto_error struct xb_error problem = XB_ERROR_INIT;
	xb_auto_dockerfile struct xb_dockerfile *file =
		xb_dockerfile_parse_part(xb_str_view(text), "x", &problem);
	xb_auto_lint struct xb_lint lint = { 0 };
	xb_auto_outline struct xb_outline outline = { 0 };
	struct xb_lint_request request = { .dockerfile = file,
					   .platform = { .os = "linux", .arch = "amd64" },
					   .all_stages = true };

	(void)xb_lint_outline(&request, &lint, &outline, NULL);
}

static const struct family families[] = {
	{ "long lines", make_long_lines, use_parse, 4 },
	{ "continuations", make_continuations, use_parse, 4 },
	{ "empty continuations", make_empty_continuations, use_parse, 4 },
	{ "a long here-document", make_one_heredoc, use_parse, 4 },
	{ "many here-documents", make_heredocs, use_parse, 2 },
	{ "here-documents of one line", make_heredocs_in_line, use_parse, 2 },
	{ "many ARGs", make_args, use_parse, 4 },
	{ "many stages", make_stages, use_parse, 2 },
	{ "pairs", make_pairs, use_parse, 2 },
	{ "quotes", make_quotes, use_parse, 4 },
	{ "JSON", make_json, use_parse, 2 },
	{ "broken JSON", make_broken_json, use_parse, 4 },
	{ "flags", make_flags, use_parse, 2 },
	{ "ONBUILD ONBUILD", make_onbuild, use_parse, 4 },
	{ "comments", make_comments, use_parse, 4 },
	{ "nested substitutions", make_nested, use_expand, 1 },
	{ "endless nesting", make_nested_too_deep, use_expand, 4 },
	{ "variables", make_variables, use_expand, 1 },
	{ "replacements", make_replacements, use_expand, 1 },
	{ "ignore patterns", make_patterns, use_ignore, 1 },
	{ "checks: undefined variables", make_undefined, use_lint, 1 },
	{ "checks: names", make_names, use_lint, 1 },
	{ "checks: stages on stages", make_chain, use_lint, 1 },
	{ "checks: options", make_checks, use_lint, 1 },
	{ "checks: commands", make_commands, use_lint, 1 },
	{ "checks: global arguments", make_globals, use_lint, 1 },
};

static void test_linear(void **state)
{
	(void)state;
	assert_linear(families, XB_COUNT(families));
}

/* What a tree may take of memory for each byte of its text. */
#define MEMORY_PER_BYTE 40

static void make_runs(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM a\n", "RUN true \n");
}

static void make_assignments(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM a\n", "ENV a=bcd\n");
}

static void make_one_instruction(struct xb_str *out, size_t size)
{
	repeat(out, size, "FROM a\nRUN true", " \\\n  word  ");
}

/* Ten megabytes, a million lines of the instructions of real files. */
static void test_a_million_lines(void **state)
{
	static make_text *const makes[] = { make_runs, make_assignments, make_one_instruction,
					    make_comments };
	const size_t size = 10000000 / PORTION;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(makes); i++) {
		xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
		xb_auto_dockerfile struct xb_dockerfile *dockerfile = NULL;
		size_t before, memory;
		double start;

		makes[i](&text, size);
		before = mallinfo2().uordblks;
		start = seconds();
		assert_int_equal(xb_dockerfile_parse(xb_str_view(&text), "x", &dockerfile, NULL),
				 0);
		memory = mallinfo2().uordblks - before;
		print_message("a million lines %zu: %.0f ms, %zu MB\n", i,
			      (seconds() - start) * 1e3, memory / 1000000);
		assert_true(memory < MEMORY_PER_BYTE * size || !MEASURED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_a_million_lines),
	};

	keep_memory();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
