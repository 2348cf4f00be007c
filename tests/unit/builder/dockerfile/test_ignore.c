/* SPDX-License-Identifier: Apache-2.0 */
/* .dockerignore and the wildcards of COPY: vectors of the reference, and what they leave out. */
#include "builder/dockerfile/ignore.h"

#include "builder/dockerfile/glob.h"
#include "builder/dockerfile/limits.h"
#include "tests/unit/builder/dockerfile/data.h"
#include "tests/unit/corpora.h"

static void fill(struct xb_strv *out, const json_t *strings)
{
	size_t i;
	json_t *string;

	json_array_foreach(strings, i, string) xb_strv_push(out, json_string_value(string));
}

static void try_match(const json_t *vector, const struct xb_strv *patterns)
{
	xb_auto_ignore struct xb_ignore *ignore = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	const char *path = data_string(vector, "path");
	bool ignored;

	if (xb_ignore_new(patterns, &ignore, &err) < 0)
		fail_msg("%s: %s", patterns->items[0], err.message);
	assert_int_equal(xb_ignore_match(ignore, xb_view(path), &ignored, NULL), 0);
	if (ignored != json_is_true(json_object_get(vector, "ignored")))
		fail_msg("%s: %s: %d", patterns->items[0], path, ignored);
}

static void try_read(const json_t *vector, const struct xb_strv *want)
{
	xb_auto_strv struct xb_strv got = XB_STRV_INIT;
	xb_autofree char *a = NULL, *b = xb_strv_join(want, "|");

	xb_ignore_read(xb_view(data_string(vector, "file")), &got);
	a = xb_strv_join(&got, "|");
	assert_string_equal(a, b);
}

static void test_vectors(void **state)
{
	xb_auto_json json_t *vectors = corpora_vectors("dockerignore");
	json_t *vector;
	size_t i;

	(void)state;
	json_array_foreach(vectors, i, vector)
	{
		xb_auto_strv struct xb_strv patterns = XB_STRV_INIT;
		xb_auto_ignore struct xb_ignore *ignore = NULL;
		const char *kind = data_string(vector, "kind");

		fill(&patterns, json_object_get(vector, "patterns"));
		if (strcmp(kind, "match") == 0)
			try_match(vector, &patterns);
		else if (strcmp(kind, "read") == 0)
			try_read(vector, &patterns);
		else
			assert_int_equal(xb_ignore_new(&patterns, &ignore, NULL), -EINVAL);
	}
	print_message("%zu .dockerignore vectors right\n", json_array_size(vectors));
	assert_true(json_array_size(vectors) > 40);
}

struct example {
	const char *file; /* .dockerignore */
	const char *path;
	bool ignored;
	bool descend; /* asked only when ignored */
};

static void test_files(void **state)
{
	static const struct example examples[] = {
		{ "", "a", false, false },
		{ "\xEF\xBB\xBF"
		  "a\n",
		  "a", true, false },
		{ "a\r\nb\r\n", "b", true, false },
		{ "# a\n #b\n", "# a", false, false },
		{ " #b\n", "#b", true, false },
		{ "a", "a/b/c", true, false },
		{ "a/", "a", true, false },
		{ "./a", "a", true, false },
		{ "/a", "a", true, false },
		{ "a/../b", "b", true, false },
		{ "../a", "a", false, false },
		{ "a", "ab", false, false },
		{ "a/b", "a", false, false },
		{ "*", "a/b", true, false },
		{ "*\n!a", "a", false, false },
		{ "*\n!a", "a/b", false, false },
		{ "*\n!a", "b", true, false },
		{ "*\n!a/b", "a", true, true },
		{ "*\n!a/b", "a/b", false, false },
		{ "*\n!a/b", "a/c", true, false },
		{ "*\n!*/b", "a", true, true },
		{ "*\n!**/b", "a/c", true, true },
		{ "!a/b\n*", "a", true, false },
		{ "!a/b\n*", "a/b", true, false },
		{ "a\n!a/b\na/b/c", "a/b/c", true, false },
		{ "a\n!a/b\na/b/c", "a/b/d", false, false },
		{ "a\n!b/c", "a", true, false },
		{ "*/*/x", "a/b/x", true, false },
		{ "*/*/x", "a/x", false, false },
		{ "**/node_modules", "a/b/node_modules/c/d", true, false },
		{ "**/*.o", "x.o", true, false },
		{ "**/*.o", "a/b/x.o", true, false },
		{ "**/*.o", "a/b/x.o/y", true, false },
		{ "a/**/b", "a/b", true, false },
		{ "a/**/b", "a/x/y/b", true, false },
		{ "a/**/b", "a/xb", false, false },
		{ "a/**", "a/b", true, false },
		{ "a/**", "ab", false, false },
		{ "?", "a", true, false },
		{ "?", "\xC3\xA9", true, false },
		{ "?", "ab", false, false },
		{ "[a-c]x", "bx", true, false },
		{ "[^a-c]x", "bx", false, false },
		{ "[\\]x]", "]", true, false },
		{ "a[^b]c", "a/c", false, false },
		{ "\\!a", "!a", true, false },
		{ "\\*", "*", true, false },
		{ "\\*", "a", false, false },
		{ "a\nb", "a\nb", false, false },
		{ "a*", "a\nb", true, false },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		const struct example *e = &examples[i];
		xb_auto_ignore struct xb_ignore *ignore = NULL;
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		bool ignored;

		if (xb_ignore_parse(xb_view(e->file), ".dockerignore", &ignore, &err) < 0)
			fail_msg("%s: %s", e->file, err.message);
		assert_int_equal(xb_ignore_match(ignore, xb_view(e->path), &ignored, NULL), 0);
		if (ignored != e->ignored)
			fail_msg("%zu: \"%s\": %s: %d", i, e->file, e->path, ignored);
		if (ignored && xb_ignore_may_descend(ignore, xb_view(e->path)) != e->descend)
			fail_msg("%zu: \"%s\": %s: descend", i, e->file, e->path);
	}
}

/* A directory that need not be walked holds nothing that is not ignored. */
static void test_descend_is_safe(void **state)
{
	static const char *const parts[] = { "a", "b", "*", "**", "a*", "?" };
	static const char *const names[] = { "a", "b", "ab" };
	unsigned long seed = 1;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		xb_auto_str struct xb_str file = XB_STR_INIT(XB_STR_OWN);
		xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);
		xb_auto_ignore struct xb_ignore *ignore = NULL;
		bool ignored, below;

		for (unsigned i = 0; i < 6; i++) {
			seed = seed * 6364136223846793005UL + 1442695040888963407UL;
			(void)xb_str_printf(&file, "%s%s%s", i > 0 && seed >> 60 == 0 ? "\n!" : "",
					    i > 0 ? (seed >> 59 & 1 ? "/" : "\n!") : "",
					    parts[(seed >> 33) % XB_COUNT(parts)]);
			if (i < 3)
				(void)xb_str_printf(&path, "%s%s", i > 0 ? "/" : "",
						    names[(seed >> 40) % XB_COUNT(names)]);
			if (i == 1 && (seed >> 50 & 1) != 0)
				(void)xb_str_puts(&file, "\n*\n!a");
		}
		if (xb_ignore_parse(xb_str_view(&file), "x", &ignore, NULL) < 0)
			continue;
		for (size_t at = 1; at < path.len; at++) {
			if (path.data[at] != '/')
				continue;
			struct xb_view parent = xb_view_sub(xb_str_view(&path), 0, at);

			(void)xb_ignore_match(ignore, parent, &ignored, NULL);
			(void)xb_ignore_match(ignore, xb_str_view(&path), &below, NULL);
			if (ignored && !below && !xb_ignore_may_descend(ignore, parent))
				fail_msg("\"%s\": %.*s hides %s", xb_str_text(&file),
					 XB_VIEW_ARGS(parent), xb_str_text(&path));
		}
	}
}

static void test_errors(void **state)
{
	static const char *const bad[] = { "a\n[",   "a\n[]", "a\n[a",	"a\n[a-]",
					   "a\n[^]", "a\n!",  "a\nb\\", "a\n[-a]" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		struct xb_ignore *ignore = NULL;

		assert_int_equal(xb_ignore_parse(xb_view(bad[i]), ".dockerignore", &ignore, &err),
				 -EINVAL);
		assert_int_equal(err.fault, XB_FAULT_SOURCE);
		assert_non_null(strstr(err.message, ".dockerignore:2: "));
		assert_non_null(strstr(err.excerpt, "2 | "));
	}
}

static void test_long_path(void **state)
{
	xb_auto_ignore struct xb_ignore *ignore = NULL;
	char path[XB_MAX_PATTERN + 2];
	bool ignored;

	(void)state;
	memset(path, 'a', sizeof(path));
	assert_int_equal(xb_ignore_parse(XB_VIEW("*"), "x", &ignore, NULL), 0);
	assert_int_equal(
		xb_ignore_match(ignore, (struct xb_view){ path, XB_MAX_PATTERN }, &ignored, NULL),
		0);
	assert_int_equal(xb_ignore_match(ignore, (struct xb_view){ path, XB_MAX_PATTERN + 1 },
					 &ignored, NULL),
			 -ENAMETOOLONG);
}

/* Patterns that make backtracking matchers hang. */
static void test_hostile_patterns(void **state)
{
	xb_auto_str struct xb_str file = XB_STR_INIT(XB_STR_OWN);
	xb_auto_ignore struct xb_ignore *ignore = NULL;
	char path[XB_MAX_PATTERN];
	bool ignored;

	(void)state;
	for (unsigned i = 0; i < 600; i++)
		(void)xb_str_puts(&file, "**/a*");
	(void)xb_str_puts(&file, "b\n");
	for (unsigned i = 0; i < 2000; i++)
		(void)xb_str_puts(&file, "*a");
	(void)xb_str_puts(&file, "b");
	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 8 == 7 ? '/' : 'a';
	assert_int_equal(xb_ignore_parse(xb_str_view(&file), "x", &ignore, NULL), 0);
	assert_int_equal(
		xb_ignore_match(ignore, (struct xb_view){ path, sizeof(path) }, &ignored, NULL), 0);
	assert_false(ignored);
}

static void test_glob(void **state)
{
	static const struct {
		const char *pattern;
		const char *name;
		bool match;
	} examples[] = {
		{ "abc", "abc", true },
		{ "*", "abc", true },
		{ "*c", "abc", true },
		{ "a*", "a", true },
		{ "a*", "ab/c", false },
		{ "a*/b", "abc/b", true },
		{ "a*/b", "a/c/b", false },
		{ "a*b*c*d*e*/f", "axbxcxdxe/f", true },
		{ "a*b*c*d*e*/f", "axbxcxdxexxx/fff", false },
		{ "a*b?c*x", "abxbbxdbxebxczzx", true },
		{ "a*b?c*x", "abxbbxdbxebxczzy", false },
		{ "ab[c]", "abc", true },
		{ "ab[b-d]", "abc", true },
		{ "ab[e-g]", "abc", false },
		{ "ab[^c]", "abc", false },
		{ "a\\*b", "a*b", true },
		{ "a\\*b", "ab", false },
		{ "a?b",
		  "a\xE2\x98\xBA"
		  "b",
		  true },
		{ "a[^a]b",
		  "a\xE2\x98\xBA"
		  "b",
		  true },
		{ "a???b",
		  "a\xE2\x98\xBA"
		  "b",
		  false },
		{ "[a-\xCE\xB6]*", "\xCE\xB1", true },
		{ "*[a-\xCE\xB6]", "A", false },
		{ "a?b", "a/b", false },
		{ "a*b", "a/b", false },
		{ "[\\]a]", "]", true },
		{ "[\\-]", "-", true },
		{ "[x\\-]", "x", true },
		{ "**", "a/b", false },
		{ "*x", "xxx", true },
		{ "", "", true },
		{ ".*", ".a", true },
		{ "*", ".a", true },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		bool match;

		assert_int_equal(xb_glob_match(examples[i].pattern, examples[i].name, &match, NULL),
				 0);
		if (match != examples[i].match)
			fail_msg("%s %s: %d", examples[i].pattern, examples[i].name, match);
	}
}

static void test_glob_errors(void **state)
{
	static const char *const bad[] = { "[]a]", "[-]", "[x-]", "[-x]", "\\",	 "[a-b-c]",
					   "[",	   "[^",  "[^bc", "a[",	  "a\\", "b[a" };
	bool match;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++)
		if (xb_glob_match(bad[i], "a", &match, NULL) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
}

static void test_glob_literal(void **state)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(100);

	(void)state;
	assert_true(xb_glob_has_wildcard("a*"));
	assert_true(xb_glob_has_wildcard("\\\\?"));
	assert_true(xb_glob_has_wildcard("[a]"));
	assert_false(xb_glob_has_wildcard("a\\*b]"));
	xb_glob_unescape("a\\*b\\\\", &out);
	assert_string_equal(xb_str_text(&out), "a*b\\");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_descend_is_safe),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_hostile_patterns),
		cmocka_unit_test(test_glob),
		cmocka_unit_test(test_glob_errors),
		cmocka_unit_test(test_glob_literal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
