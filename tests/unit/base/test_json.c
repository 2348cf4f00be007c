/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what is refused, what is read, the same bytes for the same calls. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"

static const char *const refused[] = {
	"",
	"7",
	"\"text\"",
	"{\"a\":1,\"a\":2}",
	"{\"a\":{\"b\":1,\"b\":1}}",
	"{} {}",
	"{}x",
	"{\"a\":1,}",
	"{'a':1}",
	"{\"a\":01}",
	"{\"a\":1e999}",
	"{\"a\":99999999999999999999}",
	"{\"a\":NaN}",
	"{\"a\":\"\xff\"}",
	"{\"a\":\"\\u0000\"}",
	"{\"a\":\"\\ud800\"}",
	"{\"a\":\"\n\"}",
	"[1 2]",
	"[",
	"/* c */ {}",
};

static void what_other_readers_could_read_otherwise_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(refused); i++) {
		json_t *value = NULL;

		if (xb_json_parse(xb_view(refused[i]), 1000, &value, NULL) != -EBADMSG)
			fail_msg("%s is taken", refused[i]);
		assert_null(value);
	}
}

static void an_error_names_line_and_column(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	json_t *value = NULL;

	(void)state;
	assert_int_equal(xb_json_parse(XB_VIEW("{\n  \"a\": x\n}"), 100, &value, &err), -EBADMSG);
	assert_non_null(strstr(err.message, "line 2, column 8"));
}

static void a_document_above_the_bound_is_refused(void **state)
{
	xb_auto_json json_t *value = NULL;

	(void)state;
	assert_int_equal(xb_json_parse(XB_VIEW("{\"a\":1}"), 6, &value, NULL), -EFBIG);
	assert_int_equal(xb_json_parse(XB_VIEW("{\"a\":1}"), 7, &value, NULL), 0);
}

static int parse_levels(size_t levels, const char *inner)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(XB_STR_OWN);
	xb_auto_json json_t *value = NULL;

	for (size_t i = 0; i < levels; i++)
		(void)xb_str_putc(&s, '[');
	(void)xb_str_puts(&s, inner);
	for (size_t i = 0; i < levels; i++)
		(void)xb_str_putc(&s, ']');
	return xb_json_parse(xb_str_view(&s), XB_STR_OWN, &value, NULL);
}

static void levels_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(parse_levels(64, ""), 0);
	assert_int_equal(parse_levels(65, ""), -EBADMSG);
	assert_int_equal(parse_levels(1000000, ""), -EBADMSG);
	assert_int_equal(parse_levels(1, "{\"[[\\\"[[\":\"\\\\\"}"), 0);
	assert_int_equal(parse_levels(64, "\"[[[[{{{{\\\"[[\""), 0);
}

static void members_are_read_by_type(void **state)
{
	xb_auto_json json_t *doc = NULL;
	const char *text = "left";
	uint64_t number = 7;
	bool flag = false;
	json_t *inner = NULL;

	(void)state;
	assert_int_equal(xb_json_parse(XB_VIEW("{\"s\":\"x\",\"n\":9007199254740992,\"b\":true,"
					       "\"o\":{},\"a\":[],\"z\":null}"),
				       1000, &doc, NULL),
			 0);
	assert_int_equal(xb_json_get_string(doc, "missing", &text, NULL), 0);
	assert_int_equal(xb_json_get_string(doc, "z", &text, NULL), 0);
	assert_string_equal(text, "left");
	assert_int_equal(xb_json_get_string(doc, "s", &text, NULL), 0);
	assert_string_equal(text, "x");
	assert_int_equal(xb_json_get_u64(doc, "n", &number, NULL), 0);
	assert_int_equal(number, 9007199254740992);
	assert_int_equal(xb_json_get_bool(doc, "b", &flag, NULL), 0);
	assert_true(flag);
	assert_int_equal(xb_json_get_object(doc, "o", &inner, NULL), 0);
	assert_true(json_is_object(inner));
	assert_int_equal(xb_json_get_array(doc, "a", &inner, NULL), 0);
	assert_true(json_is_array(inner));
}

static void another_type_is_an_error_that_names_the_key(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_json json_t *doc = NULL;
	const char *text;
	uint64_t number;
	bool flag;
	json_t *inner;

	(void)state;
	assert_int_equal(xb_json_parse(XB_VIEW("{\"s\":1,\"n\":-1,\"big\":9007199254740993,"
					       "\"real\":1.0,\"b\":0,\"o\":[],\"a\":{}}"),
				       1000, &doc, NULL),
			 0);
	assert_int_equal(xb_json_get_string(doc, "s", &text, &err), -EBADMSG);
	assert_string_equal(err.message, "s: not a string");
	assert_int_equal(xb_json_get_u64(doc, "n", &number, &err), -EBADMSG);
	assert_int_equal(xb_json_get_u64(doc, "big", &number, &err), -EBADMSG);
	assert_int_equal(xb_json_get_u64(doc, "real", &number, &err), -EBADMSG);
	assert_string_equal(err.message, "real: not a whole number from 0 to 2^53");
	assert_int_equal(xb_json_get_bool(doc, "b", &flag, &err), -EBADMSG);
	assert_int_equal(xb_json_get_object(doc, "o", &inner, &err), -EBADMSG);
	assert_int_equal(xb_json_get_array(doc, "a", &inner, &err), -EBADMSG);
}

static void documents_are_written_in_the_order_of_insertion(void **state)
{
	xb_auto_json json_t *doc = json_object();
	xb_auto_str struct xb_str s = XB_STR_INIT(1000);

	(void)state;
	xb_json_set_u64(doc, "z", 1);
	xb_json_set_string(doc, "a", "b/c <&>\n\xc3\xa9");
	xb_json_set_string(doc, "none", NULL);
	xb_json_set_string(doc, "bad", "x\xff\xc3y");
	xb_json_set_new(doc, "list", json_array());
	assert_int_equal(xb_json_write(doc, &s, NULL), 0);
	assert_string_equal(xb_str_text(&s), "{\"z\":1,\"a\":\"b/c <&>\\n\xc3\xa9\",\"bad\":\"x"
					     "\xef\xbf\xbd\xef\xbf\xbdy\",\"list\":[]}");
	xb_str_reset(&s);
	json_object_del(doc, "a");
	json_object_del(doc, "bad");
	assert_int_equal(xb_json_write_pretty(doc, &s, NULL), 0);
	assert_string_equal(xb_str_text(&s), "{\n  \"z\": 1,\n  \"list\": []\n}\n");
}

static void a_document_that_does_not_fit_leaves_the_string_alone(void **state)
{
	xb_auto_json json_t *doc = json_object();
	xb_auto_str struct xb_str s = XB_STR_INIT(10);

	(void)state;
	xb_json_set_string(doc, "key", "a long value");
	(void)xb_str_puts(&s, "x");
	assert_int_equal(xb_json_write(doc, &s, NULL), -EFBIG);
	assert_string_equal(xb_str_text(&s), "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_other_readers_could_read_otherwise_is_refused),
		cmocka_unit_test(an_error_names_line_and_column),
		cmocka_unit_test(a_document_above_the_bound_is_refused),
		cmocka_unit_test(levels_are_bounded),
		cmocka_unit_test(members_are_read_by_type),
		cmocka_unit_test(another_type_is_an_error_that_names_the_key),
		cmocka_unit_test(documents_are_written_in_the_order_of_insertion),
		cmocka_unit_test(a_document_that_does_not_fit_leaves_the_string_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
