/* SPDX-License-Identifier: Apache-2.0 */
/* Where a build's context and Dockerfile are, as far as no network is needed. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "builder/cli/context.h"
#include "tests/unit/scratch.h"

static struct xb_store *store;
static struct xb_opened opened;
static struct xb_error error;

static int setup(void **state)
{
	if (scratch_setup(state) != 0 || mkdirat(scratch_fd, "c", 0755) < 0 ||
	    mkdirat(scratch_fd, "c/sub", 0755) < 0)
		return -1;
	opened = XB_OPENED_INIT;
	return xb_store_open(scratch_path("store"), &store, NULL);
}

static int teardown(void **state)
{
	xb_opened_clear(&opened);
	xb_error_clear(&error);
	xb_store_free(XB_STEAL(store));
	return scratch_teardown(state);
}

/* Open `operand` with -f `file`, NULL for none. */
static int find(const char *operand, const char *file)
{
	static const struct xb_strv none;
	static const struct xb_fetch_options fetch = { .cancel_fd = -1 };
	struct xb_context_request request = { operand, file, &none, store, &fetch };

	xb_opened_clear(&opened);
	xb_error_clear(&error);
	return xb_context_find(&request, &opened, &error);
}

/* Open it while `text` is on standard input. */
static int find_with_input(const char *operand, const char *file, const char *text)
{
	xb_auto_fd int saved = dup(STDIN_FILENO);
	int ends[2];
	int r;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(close(ends[1]), 0);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	assert_int_equal(close(ends[0]), 0);
	r = find(operand, file);
	assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
	return r;
}

static void gives(const char *text)
{
	assert_string_equal(xb_str_text(&opened.text), text);
	assert_true(opened.time == -1);
	assert_non_null(opened.context);
}

static void test_what_is_remote(void **state)
{
	xb_autofree char *directory = xb_strdup(scratch_path("c"));

	(void)state;
	assert_true(xb_context_is_remote("-", NULL));
	assert_true(xb_context_is_remote("https://example.com/x", NULL));
	assert_true(xb_context_is_remote("git@example.com:x", NULL));
	assert_true(xb_context_is_remote("github.com/nobody/nothing", NULL));
	assert_true(xb_context_is_remote(directory, "https://example.com/x"));
	assert_false(xb_context_is_remote(directory, "-"));
	assert_false(xb_context_is_remote(directory, NULL));
	assert_false(xb_context_is_remote("nonesuch", NULL));
}

/* A directory is a directory, whatever its name looks like. */
static void test_directory_comes_first(void **state)
{
	(void)state;
	assert_int_equal(chdir(scratch_path(".")), 0);
	assert_int_equal(mkdirat(scratch_fd, "github.com", 0755), 0);
	assert_int_equal(mkdirat(scratch_fd, "github.com/x", 0755), 0);
	scratch_write("github.com/x/Dockerfile", "FROM here\n");
	assert_false(xb_context_is_remote("github.com/x", NULL));
	assert_int_equal(find("github.com/x", NULL), 0);
	gives("FROM here\n");
	assert_string_equal(opened.name, "github.com/x/Dockerfile");
}

static void test_default_names(void **state)
{
	xb_autofree char *directory = xb_strdup(scratch_path("c"));

	(void)state;
	assert_int_equal(find(directory, NULL), -ENOENT);
	assert_non_null(strstr(error.message, "c/Dockerfile"));
	assert_non_null(strstr(error.hint, "-f"));
	assert_int_equal(error.fault, XB_FAULT_SOURCE);
	scratch_write("c/dockerfile", "FROM small\n");
	assert_int_equal(find(directory, NULL), 0);
	gives("FROM small\n");
	assert_non_null(strstr(opened.name, "/c/dockerfile"));
	scratch_write("c/Dockerfile", "FROM large\n");
	assert_int_equal(find(directory, NULL), 0);
	gives("FROM large\n");
	assert_non_null(strstr(opened.name, "/c/Dockerfile"));
}

/* A file called Dockerfile may be in small letters, wherever it is; one of another name may not. */
static void test_named_in_small_letters(void **state)
{
	xb_autofree char *directory = xb_strdup(scratch_path("c"));
	xb_autofree char *file = xb_strdup(scratch_path("sub/Dockerfile"));
	xb_autofree char *other = xb_strdup(scratch_path("sub/Other"));

	(void)state;
	assert_int_equal(mkdirat(scratch_fd, "sub", 0755), 0);
	scratch_write("sub/dockerfile", "FROM small\n");
	scratch_write("sub/other", "FROM other\n");
	assert_int_equal(find(directory, file), 0);
	gives("FROM small\n");
	assert_non_null(strstr(opened.name, "/sub/dockerfile"));
	assert_int_equal(find(directory, other), -ENOENT);
	assert_non_null(strstr(error.message, "/sub/Other"));
	scratch_write("sub/Dockerfile", "FROM large\n");
	assert_int_equal(find(directory, file), 0);
	gives("FROM large\n");
}

/* -f is a path of this machine, with rules of its own beside it. */
static void test_named_dockerfile(void **state)
{
	xb_autofree char *directory = xb_strdup(scratch_path("c"));
	xb_autofree char *file = xb_strdup(scratch_path("other"));

	(void)state;
	scratch_write("other", "FROM other\n");
	scratch_write("other.dockerignore", "one\n");
	scratch_write("c/.dockerignore", "two\n");
	assert_int_equal(find(directory, file), 0);
	gives("FROM other\n");
	assert_string_equal(opened.name, file);
	assert_int_equal(xb_context_filter(opened.context, "one", false), XB_CONTEXT_SKIP);
	assert_int_equal(xb_context_filter(opened.context, "two", false), XB_CONTEXT_TAKE);
	assert_int_equal(find(directory, scratch_path("missing")), -ENOENT);
	assert_non_null(strstr(error.message, "missing"));
	assert_int_equal(find(scratch_path("nonesuch"), NULL), -ENOENT);
	assert_int_equal(error.fault, XB_FAULT_SOURCE);
}

static void test_standard_input(void **state)
{
	xb_autofree char *directory = xb_strdup(scratch_path("c"));
	xb_auto_str struct xb_str read = XB_STR_INIT(1000);

	(void)state;
	scratch_write("c/file", "content");
	scratch_write("c/Dockerfile", "FROM file\n");
	assert_int_equal(find_with_input(directory, "-", "FROM input\n"), 0);
	gives("FROM input\n");
	assert_int_equal(xb_context_read(opened.context, "file", &read, NULL), 0);
	/* a Dockerfile alone has an empty context */
	assert_int_equal(find_with_input("-", NULL, "FROM alone\n"), 0);
	gives("FROM alone\n");
	assert_int_equal(xb_context_read(opened.context, "file", &read, NULL), -ENOENT);
	assert_int_equal(find_with_input("-", NULL, ""), 0);
	gives("");
	/* it is not read twice, and not two things at once */
	assert_int_equal(find_with_input("-", "other", "FROM alone\n"), -EINVAL);
	assert_int_equal(error.fault, XB_FAULT_USAGE);
}

/* What could not be a repository is told without what may be a password. */
static void test_malformed(void **state)
{
	(void)state;
	assert_true(find("https://u:hush@h/r.git?nonsense=1", NULL) < 0);
	assert_non_null(strstr(error.message, "nonsense"));
	assert_null(strstr(error.message, "hush"));
}

#define context_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		context_test(test_what_is_remote),
		context_test(test_directory_comes_first),
		context_test(test_default_names),
		context_test(test_named_dockerfile),
		context_test(test_named_in_small_letters),
		context_test(test_standard_input),
		context_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
