/* SPDX-License-Identifier: Apache-2.0 */
/* What a source of COPY names: wildcards, links, ignore rules. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/context/context.h"
#include "tests/unit/scratch.h"

#define scratch_test(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

static void make_dir(const char *name)
{
	assert_int_equal(mkdir(scratch_path(name), 0755), 0);
}

static void make_link(const char *name, const char *target)
{
	assert_int_equal(symlink(target, scratch_path(name)), 0);
}

/* c/ is the context, beside it is what nobody may see. */
static void make_tree(void)
{
	static const char *const dirs[] = { "c",     "c/src",  "c/src/sub", "c/doc",
					    "c/a b", "c/a[b]", "c/build" };
	static const char *const files[] = { "c/go.mod",	"c/main.c",   "c/src/a.c",
					     "c/src/b.c",	"c/src/b.h",  "c/src/sub/c.c",
					     "c/doc/readme.md", "c/a b/file", "c/a[b]/file",
					     "c/build/out.o",	"c/.hidden",  "outside" };

	for (size_t i = 0; i < XB_COUNT(dirs); i++)
		make_dir(dirs[i]);
	for (size_t i = 0; i < XB_COUNT(files); i++)
		scratch_write(files[i], files[i]);
	make_link("c/link", "src");
	make_link("c/src/link.c", "a.c");
	make_link("c/gone", "nowhere");
}

static struct xb_context *open_context(const char *rules)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_context *context = NULL;

	if (rules != NULL)
		scratch_write("c/.dockerignore", rules);
	if (xb_context_open(scratch_path("c"), NULL, &context, &err) < 0)
		fail_msg("%s", err.message);
	return context;
}

/* `expected`: the paths with a blank between, or "!" and what the message says. */
static void assert_expands(const struct xb_context *context, const char *pattern,
			   const char *expected)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_strv struct xb_strv paths = XB_STRV_INIT;
	xb_autofree char *joined = NULL;
	int r = xb_context_expand(xb_context_dirfd(context), context, pattern, &paths, &err);

	if (expected[0] == '!') {
		assert_true(r < 0);
		assert_int_equal(paths.len, 0);
		assert_int_equal(err.fault, XB_FAULT_SOURCE);
		if (strstr(err.message, expected + 1) == NULL)
			fail_msg("%s: %s", pattern, err.message);
		return;
	}
	if (r < 0)
		fail_msg("%s: %s", pattern, err.message);
	joined = xb_strv_join(&paths, " ");
	assert_string_equal(joined, expected);
}

static void sources_name_files(void **state)
{
	static const struct {
		const char *pattern;
		const char *paths;
	} rows[] = {
		{ "main.c", "main.c" },
		{ "./main.c", "main.c" },
		{ "/main.c", "main.c" },
		{ "src", "src" },
		{ "src/", "src" },
		{ ".", "." },
		{ "/", "." },
		{ "", "." },
		{ "..", "." },
		{ "../outside", "!no such file" },
		{ "src/../main.c", "main.c" },
		{ "a b/file", "a b/file" },
		{ "a\\[b\\]/file", "a[b]/file" },
		{ "a[[]b]/file", "a[b]/file" },
		{ "a?b*", "a b a[b]" },
		{ "a\\[b]/*", "a[b]/file" },
		{ "*.c", "main.c" },
		{ "go.mod*", "go.mod" },
		{ "m?in.c", "main.c" },
		{ "[a-m]*.c", "main.c" },
		{ "src/*.c", "src/a.c src/b.c src/link.c" },
		{ "src/[^a].c", "src/b.c" },
		{ "src/*", "src/a.c src/b.c src/b.h src/link.c src/sub" },
		{ "*/*.c", "src/a.c src/b.c src/link.c" },
		{ "*/*/*.c", "src/sub/c.c" },
		{ "s*/sub", "src/sub" },
		{ "link/*.h", "link/b.h" },
		{ "link/a.c", "link/a.c" },
		{ "link", "link" },
		{ "src/link.c", "src/link.c" },
		{ ".h*", ".hidden" },
		{ "missing", "!missing" },
		{ "*.missing", "" },
		{ "src/*.missing", "" },
		{ "missing/*", "!missing/*" },
		{ "gone", "!gone" },
		{ "main.c/x", "!main.c/x" },
		{ "main.c/*", "" },
		{ "[", "!" },
		{ "src/[a-", "!" },
	};
	xb_auto_context struct xb_context *context = NULL;

	(void)state;
	make_tree();
	context = open_context(NULL);
	for (size_t i = 0; i < XB_COUNT(rows); i++)
		assert_expands(context, rows[i].pattern, rows[i].paths);
}

static void ignored_files_do_not_exist(void **state)
{
	static const struct {
		const char *pattern;
		const char *paths;
	} rows[] = {
		{ "main.c", "!main.c" },
		{ "*.c", "" },
		{ "build", "!build" },
		{ "build/out.o", "!build/out.o" },
		{ "src/*", "src/b.h src/sub" },
		{ "link", "link" },
		{ "link/*", "link/b.h link/sub" },
		{ "link/a.c", "!link/a.c" },
		{ "src/link.c", "!src/link.c" },
		{ "doc", "doc" },
		{ "doc/*", "doc/readme.md" },
		{ "a?b*", "a b a[b]" },
		{ "*", ".dockerignore .hidden a b a[b] doc go.mod gone link src" },
	};
	xb_auto_context struct xb_context *context = NULL;

	(void)state;
	make_tree();
	scratch_write("c/doc/secret.txt", "secret");
	context = open_context("main.c\nsrc/*.c\nbuild\ndoc\n!doc/readme.md\n");
	for (size_t i = 0; i < XB_COUNT(rows); i++)
		assert_expands(context, rows[i].pattern, rows[i].paths);
}

static void an_ignored_match_is_named_in_the_hint(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_context struct xb_context *context = NULL;
	xb_auto_strv struct xb_strv paths = XB_STRV_INIT;

	(void)state;
	make_tree();
	context = open_context("main.c\n");
	assert_int_equal(
		xb_context_expand(xb_context_dirfd(context), context, "mai*.c", &paths, &err), 0);
	assert_int_equal(paths.len, 0);
	assert_int_equal(
		xb_context_expand(xb_context_dirfd(context), context, "./main.c", &paths, &err),
		-ENOENT);
	assert_non_null(strstr(err.message, "main.c"));
	assert_non_null(strstr(err.hint, ".dockerignore"));
	assert_non_null(strstr(err.hint, "main.c"));
}

static void an_ignored_directory_with_nothing_taken_is_not_there(void **state)
{
	xb_auto_context struct xb_context *context = NULL;

	(void)state;
	make_tree();
	context = open_context("doc\nbuild\n!doc/nothing\n!*/*.o\n");
	assert_expands(context, "doc", "!doc");
	assert_expands(context, "d*", "");
	assert_expands(context, "build", "build");
	assert_expands(context, "bu*", "build");
}

static void rules_beside_the_dockerfile_come_first(void **state)
{
	xb_auto_context struct xb_context *context = NULL;

	(void)state;
	make_tree();
	scratch_write("c/.dockerignore", "main.c\n");
	scratch_write("other.dockerignore", "go.mod\n");
	assert_int_equal(xb_context_open(scratch_path("c"), scratch_path("other"), &context, NULL),
			 0);
	assert_expands(context, "main.c", "main.c");
	assert_expands(context, "go.mod", "!go.mod");
	xb_context_free(context);
	context = NULL;
	assert_int_equal(xb_context_open(scratch_path("c"), scratch_path("none"), &context, NULL),
			 0);
	assert_expands(context, "main.c", "!main.c");
}

static void a_malformed_rule_is_an_error(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_context *context = NULL;

	(void)state;
	make_tree();
	scratch_write("c/.dockerignore", "good\n[\n");
	assert_int_equal(xb_context_open(scratch_path("c"), NULL, &context, &err), -EINVAL);
	assert_int_equal(err.fault, XB_FAULT_SOURCE);
	xb_error_clear(&err);
	assert_int_equal(xb_context_open(scratch_path("missing"), NULL, &context, &err), -ENOENT);
	assert_int_equal(err.fault, XB_FAULT_SOURCE);
}

static void assert_resolves(const struct xb_context *context, const char *path, bool follow,
			    const char *expected)
{
	xb_auto_str struct xb_str real = XB_STR_INIT(4096);

	assert_int_equal(
		xb_context_resolve(xb_context_dirfd(context), context, path, follow, &real, NULL),
		0);
	assert_string_equal(xb_str_text(&real), expected);
}

static void links_resolve_inside_the_root(void **state)
{
	xb_auto_context struct xb_context *context = NULL;

	(void)state;
	make_tree();
	make_link("c/abs", "/src/sub");
	make_link("c/up", "../../../../src");
	make_link("c/root", "/");
	make_link("c/dot", "..");
	make_link("c/src/back", "../link/sub/../a.c");
	context = open_context(NULL);
	assert_resolves(context, "link", true, "src");
	assert_resolves(context, "link", false, "link");
	assert_resolves(context, "link/link.c", true, "src/a.c");
	assert_resolves(context, "link/link.c", false, "src/link.c");
	assert_resolves(context, "abs/c.c", true, "src/sub/c.c");
	assert_resolves(context, "up/sub", true, "src/sub");
	assert_resolves(context, "root", true, ".");
	assert_resolves(context, "root/root/src", true, "src");
	assert_resolves(context, "dot", true, ".");
	assert_resolves(context, "src/back", true, "src/a.c");
	assert_resolves(context, "link/..", true, ".");
	assert_resolves(context, "gone", false, "gone");
}

static void loops_end(void **state)
{
	xb_auto_context struct xb_context *context = NULL;
	xb_auto_str struct xb_str real = XB_STR_INIT(4096);

	(void)state;
	make_tree();
	make_link("c/one", "two");
	make_link("c/two", "one");
	make_link("c/grow", "grow/grow/grow");
	context = open_context(NULL);
	assert_int_equal(
		xb_context_resolve(xb_context_dirfd(context), context, "one", true, &real, NULL),
		-ELOOP);
	assert_int_equal(
		xb_context_resolve(xb_context_dirfd(context), context, "grow", true, &real, NULL),
		-ELOOP);
	assert_expands(context, "one", "!one");
}

static void the_dockerfile_is_read_whatever_is_ignored(void **state)
{
	xb_auto_context struct xb_context *context = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(100);

	(void)state;
	make_tree();
	scratch_write("c/Dockerfile", "FROM scratch\n");
	make_link("c/Link", "/Dockerfile");
	make_link("c/escape", "../outside");
	assert_int_equal(mkfifo(scratch_path("c/fifo"), 0600), 0);
	context = open_context("*\n");
	assert_int_equal(xb_context_read(context, "Dockerfile", &text, NULL), 0);
	assert_string_equal(xb_str_text(&text), "FROM scratch\n");
	xb_str_reset(&text);
	assert_int_equal(xb_context_read(context, "Link", &text, NULL), 0);
	assert_int_equal(xb_context_read(context, "escape", &text, &err), -ENOENT);
	xb_error_clear(&err);
	assert_true(xb_context_read(context, "fifo", &text, &err) < 0);
	assert_int_equal(err.fault, XB_FAULT_SOURCE);
}

/* The same for a tree that is known by a descriptor. */
static void a_tree_has_its_rules(void **state)
{
	xb_auto_context struct xb_context *context = NULL;
	xb_auto_str struct xb_str text = XB_STR_INIT(1000);
	int dirfd;

	(void)state;
	make_dir("t");
	make_dir("t/sub");
	scratch_write("t/.dockerignore", "one\n");
	scratch_write("t/sub/Other", "FROM scratch\n");
	scratch_write("t/sub/Other.dockerignore", "two\n");
	scratch_write("beside.dockerignore", "three\n");
	for (size_t i = 0; i < 3; i++) {
		static const char *const ignored[] = { "one", "two", "three" };

		dirfd = open(scratch_path("t"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		xb_context_free(XB_STEAL(context));
		assert_int_equal(xb_context_open_tree(dirfd, "t",
						      i == 2 ? scratch_path("beside") : NULL,
						      i == 1 ? "sub/Other" : NULL, &context, NULL),
				 0);
		for (size_t k = 0; k < 3; k++)
			assert_int_equal(xb_context_filter(context, ignored[k], false),
					 k == i ? XB_CONTEXT_SKIP : XB_CONTEXT_TAKE);
	}
	/* the Dockerfile can be read whatever the rules say, and is looked for inside alone */
	assert_int_equal(xb_context_read(context, "sub/Other", &text, NULL), 0);
	assert_string_equal(xb_str_text(&text), "FROM scratch\n");
	scratch_write("secret", "outside");
	make_link("t/link", "../secret");
	assert_int_equal(xb_context_read(context, "link", &text, NULL), -ENOENT);
	assert_int_equal(xb_context_open_tree(-1, "x", NULL, NULL, &context, NULL), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(sources_name_files),
		scratch_test(ignored_files_do_not_exist),
		scratch_test(an_ignored_match_is_named_in_the_hint),
		scratch_test(an_ignored_directory_with_nothing_taken_is_not_there),
		scratch_test(rules_beside_the_dockerfile_come_first),
		scratch_test(a_malformed_rule_is_an_error),
		scratch_test(links_resolve_inside_the_root),
		scratch_test(loops_end),
		scratch_test(the_dockerfile_is_read_whatever_is_ignored),
		scratch_test(a_tree_has_its_rules),
	};

	return cmocka_run_group_tests_name("builder/context expand", tests, NULL, NULL);
}
