/* SPDX-License-Identifier: Apache-2.0 */
/* --exclude and --parents: what of a source is copied, and what its digest covers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "builder/context/context.h"
#include "builder/context/select.h"
#include "tests/unit/scratch.h"

static const char *const nothing[] = { NULL };

static void test_verdicts(void **state)
{
	static const char *const some[] = { "*.txt", "!keep.txt", "sub/*", "!sub/a", NULL };
	static const struct {
		const char *below;
		bool is_dir;
		enum xb_context_verdict verdict;
	} examples[] = {
		{ "", true, XB_CONTEXT_TAKE },	       { "", false, XB_CONTEXT_TAKE },
		{ "a.txt", false, XB_CONTEXT_SKIP },   { "keep.txt", false, XB_CONTEXT_TAKE },
		{ "x/a.txt", false, XB_CONTEXT_TAKE }, { "sub", true, XB_CONTEXT_TAKE },
		{ "sub/a", false, XB_CONTEXT_TAKE },   { "sub/b", false, XB_CONTEXT_SKIP },
		{ "dir.txt", true, XB_CONTEXT_SKIP },
	};
	xb_auto_select struct xb_select *select = NULL;

	(void)state;
	assert_int_equal(xb_select_new(NULL, some, &select, NULL), 0);
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		if (xb_select_verdict(select, examples[i].below, examples[i].is_dir) !=
		    examples[i].verdict)
			fail_msg("%s", examples[i].below);
	}
	assert_int_equal(xb_select_verdict(NULL, "any", false), XB_CONTEXT_TAKE);
}

static void test_include(void **state)
{
	static const char *const exclude[] = { "**/c", NULL };
	xb_auto_select struct xb_select *select = NULL;

	(void)state;
	assert_int_equal(xb_select_new("a/b*", exclude, &select, NULL), 0);
	assert_int_equal(xb_select_verdict(select, "a", true), XB_CONTEXT_DESCEND);
	assert_int_equal(xb_select_verdict(select, "a", false), XB_CONTEXT_SKIP);
	assert_int_equal(xb_select_verdict(select, "a/b1", true), XB_CONTEXT_TAKE);
	assert_int_equal(xb_select_verdict(select, "a/b1/x", false), XB_CONTEXT_TAKE);
	assert_int_equal(xb_select_verdict(select, "a/b1/c", false), XB_CONTEXT_SKIP);
	assert_int_equal(xb_select_verdict(select, "a/c", true), XB_CONTEXT_SKIP);
	assert_int_equal(xb_select_verdict(select, "b", true), XB_CONTEXT_SKIP);
}

static void test_malformed(void **state)
{
	static const char *const bad[] = { "a[", NULL };
	xb_auto_select struct xb_select *select = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(xb_select_new(NULL, bad, &select, &err), -EINVAL);
	assert_int_equal(err.fault, XB_FAULT_SOURCE);
	assert_int_equal(xb_select_new("a[", nothing, &select, NULL), -EINVAL);
}

static void test_split(void **state)
{
	static const struct {
		const char *source;
		const char *root;
		const char *pattern;
	} examples[] = {
		{ "a/b", ".", "a/b" },
		{ "./a/b/", ".", "a/b" },
		{ "a/./b/c", "a", "b/c" },
		{ "./x/./y/*.txt", "./x", "y/*.txt" },
		{ "/a/b/./c/d", "/a/b", "c/d" },
		{ "/./a", ".", "a" },
		{ ".", ".", "" },
		{ "/", ".", "" },
		{ "a/./b/./c", "a", "b/c" },
		{ "../../a", ".", "a" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		xb_autofree char *root = NULL;
		xb_autofree char *pattern = NULL;

		xb_select_split(examples[i].source, &root, &pattern);
		assert_string_equal(root, examples[i].root);
		assert_string_equal(pattern, examples[i].pattern);
	}
}

static void write_file(const char *path, const char *text)
{
	xb_autofree char *line =
		xb_format("cd '%s' && mkdir -p \"$(dirname %s)\" && printf %%s '%s' >%s", scratch,
			  path, text, path);

	assert_int_equal(scratch_run((const char *[]){ "sh", "-c", line, NULL }), 0);
}

/* The digest of what `include` and `excludes` leave of the scratch directory, as text. */
static char *digest_of(const char *include, const char *const *excludes)
{
	xb_auto_select struct xb_select *select = NULL;
	struct xb_checksum_options options = { 0 };
	struct xb_digest digest;

	assert_int_equal(xb_select_new(include, excludes, &select, NULL), 0);
	options.select = select;
	assert_int_equal(xb_context_checksum(scratch_fd, NULL, ".", &options, &digest, NULL), 0);
	return xb_strdup(digest.text);
}

/* Only what is copied counts: neither what is left out nor its neighbours. */
static void test_checksum(void **state)
{
	static const char *const exclude[] = { "*.log", NULL };
	xb_autofree char *excluded = NULL;
	xb_autofree char *included = NULL;
	xb_autofree char *all = NULL;
	xb_autofree char *now = NULL;

	(void)state;
	write_file("a/b/file", "1");
	write_file("a/other", "1");
	write_file("x.log", "1");
	excluded = digest_of(NULL, exclude);
	included = digest_of("a/b", nothing);
	all = digest_of(NULL, nothing);
	assert_string_not_equal(excluded, all);
	assert_string_not_equal(included, all);

	write_file("x.log", "2");
	now = digest_of(NULL, exclude);
	assert_string_equal(now, excluded);
	free(now);
	now = digest_of("a/b", nothing);
	assert_string_equal(now, included);
	free(now);
	write_file("a/other", "2");
	now = digest_of("a/b", nothing);
	assert_string_equal(now, included);
	free(now);
	write_file("a/b/file", "2");
	now = digest_of("a/b", nothing);
	assert_string_not_equal(now, included);
}

static void test_expand(void **state)
{
	xb_auto_strv struct xb_strv roots = XB_STRV_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *pattern = NULL;
	xb_autofree char *other = NULL;

	(void)state;
	write_file("p1/a", "1");
	write_file("p2/a", "1");
	assert_int_equal(xb_select_expand(scratch_fd, NULL, "p*/./a", &roots, &pattern, NULL), 0);
	assert_int_equal(roots.len, 2);
	assert_string_equal(roots.items[0], "p1");
	assert_string_equal(pattern, "a");
	/* a plain name has to be there, a pattern need not match */
	assert_int_equal(xb_select_expand(scratch_fd, NULL, "p1/none", &roots, &other, &err),
			 -ENOENT);
	assert_non_null(strstr(err.message, "p1/none"));
	assert_int_equal(xb_select_expand(scratch_fd, NULL, "p1/none*", &roots, &other, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_include),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_split),
		cmocka_unit_test_setup_teardown(test_checksum, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_expand, scratch_setup, scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
