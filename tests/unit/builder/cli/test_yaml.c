/* SPDX-License-Identifier: Apache-2.0 */
/* YAML as it is written: what a string looks like, and where it stands. That readers give it back
 * is tested by tests/e2e/test_ci.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/cli/yaml.h"

static void test_strings(void **state)
{
	static const struct {
		const char *key, *value, *line;
	} cases[] = {
		{ "a", "", "a: \"\"\n" },
		{ "a", "plain", "a: \"plain\"\n" },
		{ "a", "true", "a: \"true\"\n" },
		{ "a", "a\"b\\c", "a: \"a\\\"b\\\\c\"\n" },
		{ "a", "\x01\t\x7f", "a: \"\\x01\\x09\\x7F\"\n" },
		{ "a", "\xc3\xa9 \xe2\x80\xa8 \xf0\x9f\x98\x80",
		  "a: \"\\xE9 \\u2028 \\U0001F600\"\n" },
		{ "a", "bad \xff\xc3", "a: \"bad \\uFFFD\\uFFFD\"\n" },
		{ "a", "one\ntwo", "a: |-\n  one\n  two\n" },
		{ "a", "one\n\n  - x: y", "a: |-\n  one\n\n    - x: y\n" },
		{ "a", "one\n", "a: \"one\\n\"\n" },
		{ "a", " one\ntwo", "a: \" one\\ntwo\"\n" },
		{ "a", "\none", "a: \"\\none\"\n" },
		{ "a", "one\n\ttwo", "a: \"one\\n\\x09two\"\n" },
		{ "on", "x", "\"on\": \"x\"\n" },
		{ "No", "x", "\"No\": \"x\"\n" },
		{ "", "x", "\"\": \"x\"\n" },
		{ "-a", "x", "\"-a\": \"x\"\n" },
		{ "a: b", "x", "\"a: b\": \"x\"\n" },
		{ "RUNS-on_x", "x", "RUNS-on_x: \"x\"\n" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
		struct xb_yaml y = { .out = &text };

		xb_yaml_text(&y, cases[i].key, cases[i].value);
		assert_string_equal(xb_str_text(&text), cases[i].line);
	}
}

static void test_structure(void **state)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_strv struct xb_strv list = XB_STRV_INIT;
	struct xb_yaml y = { .out = &text };

	(void)state;
	xb_strv_push(&list, "x");
	xb_strv_push(&list, "y,]");
	xb_yaml_comment(&y, "a\nb: c");
	xb_yaml_map(&y, "jobs");
	xb_yaml_list(&y, "steps");
	xb_yaml_item(&y);
	xb_yaml_text(&y, "run", "a\nb");
	xb_yaml_bool(&y, "ok", true);
	xb_yaml_map(&y, "with");
	xb_yaml_texts(&y, "list", &list);
	xb_yaml_end(&y, 2);
	xb_yaml_item(&y);
	xb_yaml_map(&y, "with");
	xb_yaml_bool(&y, "ok", false);
	xb_yaml_end(&y, 3);
	xb_yaml_list(&y, "more");
	xb_yaml_element(&y, "c\nd");
	xb_yaml_element(&y, "e");
	xb_yaml_end(&y, 2);
	xb_yaml_texts(&y, "none", &(struct xb_strv){ 0 });
	assert_string_equal(xb_str_text(&text), "# a\\nb: c\n"
						"jobs:\n"
						"  steps:\n"
						"    - run: |-\n"
						"        a\n"
						"        b\n"
						"      ok: true\n"
						"      with:\n"
						"        list: [\"x\", \"y,]\"]\n"
						"    - with:\n"
						"        ok: false\n"
						"  more:\n"
						"    - |-\n"
						"      c\n"
						"      d\n"
						"    - \"e\"\n"
						"none: []\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_structure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
