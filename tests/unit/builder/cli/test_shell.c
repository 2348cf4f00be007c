/* SPDX-License-Identifier: Apache-2.0 */
/* Words for shells: a shell gives each back as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "builder/cli/shell.h"
#include "tests/unit/scratch.h"

static void test_words(void **state)
{
	static const struct {
		const char *word, *quoted;
	} cases[] = {
		{ "plain", "plain" },
		{ "a=b,c:/d@e%f+g.h_-", "a=b,c:/d@e%f+g.h_-" },
		{ "", "''" },
		{ "a b", "'a b'" },
		{ "it's", "'it'\\''s'" },
		{ "$HOME", "'$HOME'" },
		{ "~", "'~'" },
		{ "*", "'*'" },
		{ "a\nb", "'a\nb'" },
		{ "\xff", "'\xff'" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

		xb_shell_append(&text, cases[i].word);
		assert_string_equal(xb_str_text(&text), cases[i].quoted);
	}
}

/* All bytes that a word can hold, alone and between others. */
static void test_by_a_shell(void **state)
{
	xb_auto_strv struct xb_strv words = XB_STRV_INIT;
	xb_auto_str struct xb_str script = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str wanted = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str got = XB_STR_INIT(XB_STR_OWN);

	(void)state;
	for (int c = 1; c < 256; c++) {
		xb_strv_printf(&words, "%c", c);
		xb_strv_printf(&words, "a%cb", c);
	}
	for (size_t i = 0; i < words.len; i++)
		(void)xb_str_printf(&wanted, "%s|", words.items[i]);
	(void)xb_str_puts(&script, "printf '%s|' ");
	xb_shell_append_all(&script, &words);
	(void)xb_str_printf(&script, " >%s", scratch_path("got"));
	scratch_write("script", xb_str_text(&script));
	assert_int_equal(scratch_run((const char *[]){ "sh", scratch_path("script"), NULL }), 0);
	assert_int_equal(xb_file_read(scratch_path("got"), &got, NULL), 0);
	assert_int_equal(got.len, wanted.len);
	assert_memory_equal(got.data, wanted.data, wanted.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test_setup_teardown(test_by_a_shell, scratch_setup, scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
