/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: bounds, views, numbers, what may be printed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

#define assert_view(view, text) assert_true(xb_view_is((view), (text)))

static void appends_of_all_kinds_add_up(void **state)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(XB_STR_OWN);

	(void)state;
	assert_string_equal(xb_str_text(&s), "");
	assert_int_equal(xb_str_puts(&s, "FROM "), 0);
	assert_int_equal(xb_str_append_view(&s, XB_VIEW("debian")), 0);
	assert_int_equal(xb_str_putc(&s, ':'), 0);
	assert_int_equal(xb_str_printf(&s, "%d-%s", 12, "slim"), 0);
	assert_int_equal(xb_str_append(&s, "\0x", 2), 0);
	assert_int_equal(s.len, strlen("FROM debian:12-slim") + 2);
	assert_memory_equal(s.data, "FROM debian:12-slim\0x", s.len + 1);
}

static void nothing_passes_the_maximum(void **state)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(4);

	(void)state;
	assert_int_equal(xb_str_puts(&s, "abc"), 0);
	assert_int_equal(xb_str_puts(&s, "de"), -EFBIG);
	assert_int_equal(xb_str_printf(&s, "%d", 10), -EFBIG);
	assert_string_equal(xb_str_text(&s), "abc");
	assert_true(xb_str_overflowed(&s));
	assert_int_equal(xb_str_puts(&s, "d"), 0);
	assert_string_equal(xb_str_text(&s), "abcd");
	assert_true(xb_str_overflowed(&s));
	xb_str_reset(&s);
	assert_false(xb_str_overflowed(&s));
	assert_string_equal(xb_str_text(&s), "");
	assert_int_equal(xb_str_append(&s, "x", SIZE_MAX), -EFBIG);
}

static void a_megabyte_grows_byte_by_byte(void **state)
{
	xb_auto_str struct xb_str s = XB_STR_INIT((size_t)1 << 20);

	(void)state;
	for (size_t i = 0; i < (size_t)1 << 20; i++)
		assert_int_equal(xb_str_putc(&s, 'x'), 0);
	assert_int_equal(xb_str_putc(&s, 'x'), -EFBIG);
	assert_int_equal(s.len, (size_t)1 << 20);
	assert_true(s.cap <= ((size_t)1 << 20) + 1);
}

static void a_stolen_string_leaves_an_empty_one(void **state)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(100);
	char *text;

	(void)state;
	text = xb_str_steal(&s);
	assert_string_equal(text, "");
	free(text);
	(void)xb_str_puts(&s, "mine");
	text = xb_str_steal(&s);
	assert_string_equal(text, "mine");
	assert_int_equal(s.len, 0);
	assert_int_equal(s.max, 100);
	free(text);
	(void)xb_str_puts(&s, "again");
	assert_string_equal(xb_str_text(&s), "again");
	xb_str_truncate(&s, 2);
	assert_string_equal(xb_str_text(&s), "ag");
	xb_str_truncate(&s, 5);
	assert_int_equal(s.len, 2);
}

static void views_compare(void **state)
{
	const struct xb_view none = { NULL, 0 };

	(void)state;
	assert_true(xb_view_eq(none, XB_VIEW("")));
	assert_true(xb_view_eq(xb_view(NULL), none));
	assert_false(xb_view_eq(XB_VIEW("a"), none));
	assert_true(xb_view_eq_nocase(XB_VIEW("FroM"), XB_VIEW("from")));
	assert_false(xb_view_eq_nocase(XB_VIEW("[rom"), XB_VIEW("{rom")));
	assert_true(xb_view_starts(XB_VIEW("sha256:ab"), XB_VIEW("sha256:")));
	assert_false(xb_view_starts(XB_VIEW("sha"), XB_VIEW("sha256:")));
	assert_true(xb_view_starts(none, none));
	assert_true(xb_view_ends(XB_VIEW("a.tar.gz"), XB_VIEW(".gz")));
	assert_false(xb_view_ends(XB_VIEW("gz"), XB_VIEW(".gz")));
	assert_int_equal(xb_view_find(XB_VIEW("a=b=c"), '='), 1);
	assert_int_equal(xb_view_find(none, '='), -1);
}

static void views_are_cut(void **state)
{
	const struct xb_view none = { NULL, 0 };

	(void)state;
	assert_view(xb_view_sub(XB_VIEW("abcdef"), 2, 3), "cde");
	assert_view(xb_view_sub(XB_VIEW("abc"), 1, SIZE_MAX), "bc");
	assert_view(xb_view_sub(XB_VIEW("abc"), 3, 1), "");
	assert_view(xb_view_sub(XB_VIEW("abc"), SIZE_MAX, SIZE_MAX), "");
	assert_view(xb_view_sub(none, 0, 1), "");
	assert_view(xb_view_trim(XB_VIEW(" \t\r\n\v\fa b\n")), "a b");
	assert_view(xb_view_trim(XB_VIEW(" \t ")), "");
	assert_view(xb_view_trim(none), "");
}

static void a_view_is_split_into_all_its_pieces(void **state)
{
	struct xb_view rest = XB_VIEW("a,,b,"), piece;

	(void)state;
	assert_true(xb_view_split(&rest, ',', &piece));
	assert_view(piece, "a");
	assert_true(xb_view_split(&rest, ',', &piece));
	assert_view(piece, "");
	assert_true(xb_view_split(&rest, ',', &piece));
	assert_view(piece, "b");
	assert_true(xb_view_split(&rest, ',', &piece));
	assert_view(piece, "");
	assert_false(xb_view_split(&rest, ',', &piece));
	rest = XB_VIEW("");
	assert_true(xb_view_split(&rest, ',', &piece));
	assert_view(piece, "");
	assert_false(xb_view_split(&rest, ',', &piece));
}

static const struct number {
	const char *text;
	uint64_t max;
	int r;
	uint64_t value;
} numbers[] = {
	{ "0", 0, 0, 0 },
	{ "007", 7, 0, 7 },
	{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
	{ "18446744073709551616", UINT64_MAX, -ERANGE, 0 },
	{ "99999999999999999999999", UINT64_MAX, -ERANGE, 0 },
	{ "65536", 65535, -ERANGE, 0 },
	{ "", 9, -EINVAL, 0 },
	{ "-1", 9, -EINVAL, 0 },
	{ "+1", 9, -EINVAL, 0 },
	{ " 1", 9, -EINVAL, 0 },
	{ "1 ", 9, -EINVAL, 0 },
	{ "0x1", 9, -EINVAL, 0 },
	{ "99999999999999999999999x", UINT64_MAX, -EINVAL, 0 },
};

static void numbers_are_read_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(numbers); i++) {
		uint64_t value = 77;
		int r = xb_view_parse_u64(xb_view(numbers[i].text), numbers[i].max, &value);

		if (r != numbers[i].r)
			fail_msg("\"%s\" gives %d", numbers[i].text, r);
		assert_int_equal(value, r == 0 ? numbers[i].value : 77);
	}
}

static const struct quoted {
	const char *text;
	const char *printed;
} quoteds[] = {
	{ "plain text \\n", "plain text \\n" },
	{ "caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80",
	  "caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80" },
	{ "a\nb\tc", "a\\nb\\tc" },
	{ "\x1b[31m\x7f\r", "\\x1b[31m\\x7f\\x0d" },
	{ "\xff\xfe", "\\xff\\xfe" },
	{ "\xc2\x9b"
	  "0m",
	  "\\xc2\\x9b0m" },				/* a control of eight bits */
	{ "\xc0\xaf", "\\xc0\\xaf" },			/* overlong */
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },		/* surrogate */
	{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* above U+10FFFF */
	{ "\xe2\x80\xae"
	  "abc",
	  "\\xe2\\x80\\xaeabc" },     /* turns the direction */
	{ "\xe2\x80", "\\xe2\\x80" }, /* cut off */
};

static void what_is_printed_cannot_command_a_terminal(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(quoteds); i++) {
		xb_auto_str struct xb_str s = XB_STR_INIT(100);

		assert_int_equal(xb_str_append_quoted(&s, xb_view(quoteds[i].text)), 0);
		assert_string_equal(xb_str_text(&s), quoteds[i].printed);
	}
}

static void a_quoted_text_that_is_too_long_leaves_the_string_alone(void **state)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(6);

	(void)state;
	(void)xb_str_puts(&s, "ab");
	assert_int_equal(xb_str_append_quoted(&s, XB_VIEW("c\x01\x02")), -EFBIG);
	assert_string_equal(xb_str_text(&s), "ab");
}

static void copies_are_their_own(void **state)
{
	char text[] = "text";
	xb_autofree char *copy = xb_strdup(text);
	xb_autofree char *dup = xb_view_dup((struct xb_view){ text, 2 });
	xb_autofree char *formatted = xb_format("%s/%d", text, 7);
	xb_autofree char *none = xb_view_dup((struct xb_view){ NULL, 0 });
	char *moved;

	(void)state;
	text[0] = 'T';
	assert_string_equal(copy, "text");
	assert_string_equal(dup, "te");
	assert_string_equal(formatted, "text/7");
	assert_string_equal(none, "");
	assert_null(xb_strdup(NULL));
	moved = XB_STEAL(copy);
	assert_null(copy);
	free(moved);
}

static void characters_have_their_length(void **state)
{
	(void)state;
	assert_int_equal(xb_view_utf8_len(XB_VIEW("ab")), 1);
	assert_int_equal(xb_view_utf8_len(XB_VIEW("\xc3\xa9")), 2);
	assert_int_equal(xb_view_utf8_len(XB_VIEW("\xf0\x9f\x98\x80")), 4);
	assert_int_equal(xb_view_utf8_len(XB_VIEW("\xf0\x9f\x98")), 0);
	assert_int_equal(xb_view_utf8_len(XB_VIEW("")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_of_all_kinds_add_up),
		cmocka_unit_test(nothing_passes_the_maximum),
		cmocka_unit_test(a_megabyte_grows_byte_by_byte),
		cmocka_unit_test(a_stolen_string_leaves_an_empty_one),
		cmocka_unit_test(views_compare),
		cmocka_unit_test(views_are_cut),
		cmocka_unit_test(a_view_is_split_into_all_its_pieces),
		cmocka_unit_test(numbers_are_read_strictly),
		cmocka_unit_test(what_is_printed_cannot_command_a_terminal),
		cmocka_unit_test(a_quoted_text_that_is_too_long_leaves_the_string_alone),
		cmocka_unit_test(copies_are_their_own),
		cmocka_unit_test(characters_have_their_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
