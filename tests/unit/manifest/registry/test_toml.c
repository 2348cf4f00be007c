/* SPDX-License-Identifier: Apache-2.0 */
/* TOML, as far as it is read: each text and the JSON of the same shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "manifest/registry/toml.h"

/* what a row does not say is zero */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static const struct {
	const char *text;
	const char *json; /* NULL: refused, with ... */
	const char *message;
} rows[] = {
	{ "", "{}" },
	{ "\xef\xbb\xbf# a comment\r\n\r\n", "{}" },
	{ "a = 1\nb=true # c\n c = false", "{'a':1,'b':true,'c':false}" },
	{ "a = \"x\\t\\\"\\\\\\u00e9\\U0001F600\"", "{'a':'x\\t\\\"\\\\é😀'}" },
	{ "a = 'C:\\x'", "{'a':'C:\\\\x'}" },
	{ "a = \"\"", "{'a':''}" },
	{ "a = [ 'x', # one\n\n  'y',\n]", "{'a':['x','y']}" },
	{ "a = [[\"c\", \"k\"], []]", "{'a':[['c','k'],[]]}" },
	{ "a = { b = 1, c.d = 'x' }", "{'a':{'b':1,'c':{'d':'x'}}}" },
	{ "a.b . 'c d' = 1", "{'a':{'b':{'c d':1}}}" },
	{ "[a]\nx = 1\n[a.b]\ny = 2\n[c]\n", "{'a':{'x':1,'b':{'y':2}},'c':{}}" },
	{ "[a.b]\n[a]\nx = 1", "{'a':{'b':{},'x':1}}" },
	{ "[[r]]\np = 'a'\n[[r.m]]\nl = 'x'\n[[r.m]]\nl = 'y'\n[[r]]\np = 'b'\n[r.t]\n",
	  "{'r':[{'p':'a','m':[{'l':'x'},{'l':'y'}]},{'p':'b','t':{}}]}" },
	{ "[[r]]\n[r.t]\n[[r]]\n[r.t]\n", "{'r':[{'t':{}},{'t':{}}]}" },
	{ "server = \"https://a\"\n[host.\"https://m.example:5000\"]\n  capabilities = "
	  "[\"pull\"]\n  [host.\"https://m.example:5000\".header]\n    x = ['a']\n",
	  "{'server':'https://a','host':{'https://m.example:5000':{'capabilities':['pull'],"
	  "'header':{'x':['a']}}}}" },
	{ "127 = 0\n-_ = 10", "{'127':0,'-_':10}" },
	/* refused */
	{ "a", NULL, "line 1: no '='" },
	{ "\n\na = ", NULL, "line 3: a value that is not read" },
	{ "a = 1\na = 2", NULL, "line 2: a key that is there" },
	{ "a = 1\n[a]", NULL, "line 2: a table where there is a value" },
	{ "a = 1\na.b = 2", NULL, "a table where" },
	{ "[a]\n[a]", NULL, "line 2: a table that is there" },
	{ "a = ['x']\n[[a]]", NULL, "an array of tables where" },
	{ "[[a]]\n[a]", NULL, "a table where there is an array" },
	{ "a = 'x' b = 1", NULL, "something behind" },
	{ "a = \"x\nb\"", NULL, "a string without an end" },
	{ "a = \"x", NULL, "a string without an end" },
	{ "a = \"\\x\"", NULL, "an escape" },
	{ "a = \"\\ud800\"", NULL, "not a code" },
	{ "a = \"\\u0000\"", NULL, "not a code" },
	{ "a = \"\\u12", NULL, "not a code" },
	{ "a = \"\xff\"", NULL, "not UTF-8" },
	{ "'\xff' = 1", NULL, "not UTF-8" },
	{ "a = \"\"\"x\"\"\"", NULL, "several lines" },
	{ "a = '''x'''", NULL, "several lines" },
	{ "a = 1.5", NULL, "not read here" },
	{ "a = 0x10", NULL, "not read here" },
	{ "a = 010", NULL, "not read here" },
	{ "a = 1979-05-27", NULL, "not read here" },
	{ "a = 99999999999999999999", NULL, "not read here" },
	{ "a = True", NULL, "not read here" },
	{ "a = [1", NULL, "an array without an end" },
	{ "a = [", NULL, "not read here" },
	{ "a = [1 2]", NULL, "an array without an end" },
	{ "a = { b = 1", NULL, "an inline table without an end" },
	{ "a = { b = 1,\n c = 2 }", NULL, "no key" },
	{ "[a", NULL, "a header without" },
	{ "[[a]", NULL, "a header without" },
	{ "[]", NULL, "no key" },
	{ "[a.]", NULL, "no key" },
	{ "= 1", NULL, "no key" },
	{ "a = 1\r", NULL, "something behind" },
	{ "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q = 1", NULL, "too many names" },
	{ "a = [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", NULL, "too many levels" },
};

/* With ' in the place of the many ". */
static char *json_of(const json_t *value)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(1 << 16);

	assert_int_equal(xb_json_write(value, &text, NULL), 0);
	return xb_str_steal(&text);
}

static void check(size_t i)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_json json_t *seen = NULL, *wanted = NULL;
	xb_autofree char *shown = NULL;
	xb_autofree char *quoted = NULL;
	int r = xb_toml_parse(xb_view(rows[i].text), &seen, &err);

	if (rows[i].json == NULL) {
		assert_int_equal(r, -EBADMSG);
		if (strstr(err.message, rows[i].message) == NULL)
			fail_msg("%s: %s", rows[i].text, err.message);
		return;
	}
	if (r < 0)
		fail_msg("%s: %s", rows[i].text, err.message);
	quoted = xb_strdup(rows[i].json);
	for (char *c = quoted; (c = strchr(c, '\'')) != NULL;)
		*c = '"';
	assert_int_equal(xb_json_parse(xb_view(quoted), 1 << 16, &wanted, NULL), 0);
	shown = json_of(seen);
	if (json_equal(seen, wanted) == 0)
		fail_msg("%s: %s", rows[i].text, shown);
}

static void all_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(rows); i++)
		check(i);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(all_rows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
