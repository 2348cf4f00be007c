/* SPDX-License-Identifier: Apache-2.0 */
/* Views of snapshot stacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/overlay.h"
#include "builder/layer/tree.h"
#include "builder/layer/unpack.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#include "tests/unit/builder/layer/trees.h"

static void shell(const char *command)
{
	xb_autofree char *line = xb_format("cd '%s' && %s", scratch, command);

	if (scratch_run((const char *[]){ "sh", "-c", line, NULL }) != 0)
		fail_msg("failed: %s", command);
}

static bool holds(int root, const char *name)
{
	struct stat st;

	return fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* As many mounts as this process sees. */
static size_t count_mounts(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	size_t lines = 0;
	int c;

	assert_non_null(f);
	while ((c = fgetc(f)) != EOF)
		lines += c == '\n';
	(void)fclose(f);
	return lines;
}

static void one_directory_is_its_own_view(void **state)
{
	xb_autofree char *path = xb_format("%s/a", scratch);
	const char *lowers[] = { path };
	xb_auto_fd int read_only = -1;
	xb_auto_fd int upper = -1;

	(void)state;
	shell("mkdir a && touch a/f");
	read_only = xb_tree_mount(lowers, 1, NULL, NULL, NULL);
	assert_true(read_only >= 0 && holds(read_only, "f"));
	upper = xb_tree_mount(NULL, 0, path, path, NULL);
	assert_true(upper >= 0 && holds(upper, "f"));
	assert_int_equal(mkdirat(upper, "new", 0755), 0);
	assert_true(holds(read_only, "new"));
}

static void no_directory_is_an_empty_tree(void **state)
{
	xb_auto_fd int view = -1;

	(void)state;
	need("userns", trees_root);
	view = xb_tree_mount(NULL, 0, NULL, NULL, NULL);
	assert_true(view >= 0);
	assert_false(holds(view, "anything"));
	assert_int_equal(mkdirat(view, "x", 0755), -1);
	assert_int_equal(errno, EROFS);
}

static void the_top_hides_what_is_below(void **state)
{
	(void)state;
	need("userns", trees_root);

	/* names that overlay's option strings would take apart */
	xb_autofree char *top = xb_format("%s/top:with,odd\\name", scratch);
	xb_autofree char *bottom = xb_format("%s/bottom", scratch);
	const char *lowers[] = { top, bottom };
	xb_auto_fd int view = -1;

	shell("mkdir 'top:with,odd\\name' bottom && echo top >'top:with,odd\\name/f' && "
	      "echo bottom >bottom/f && touch bottom/g");
	view = xb_tree_mount(lowers, 2, NULL, NULL, NULL);
	assert_true(view >= 0);
	assert_true(holds(view, "g"));
	{
		xb_auto_str struct xb_str text = XB_STR_INIT(100);

		assert_int_equal(xb_file_read_at(view, "f", &text, NULL), 0);
		assert_string_equal(xb_str_text(&text), "top\n");
	}
	assert_int_equal(mkdirat(view, "x", 0755), -1);
}

static void writes_go_to_the_upper_alone(void **state)
{
	(void)state;
	need("userns", trees_root);

	xb_autofree char *lower = xb_format("%s/lower", scratch);
	xb_autofree char *upper = xb_format("%s/upper", scratch);
	xb_autofree char *work = xb_format("%s/work", scratch);
	const char *lowers[] = { lower };
	size_t mounts = count_mounts();
	struct stat st;
	int view;

	shell("mkdir lower upper work && echo old >lower/f && mkdir lower/d && touch lower/d/x");
	view = xb_tree_mount(lowers, 1, upper, work, NULL);
	assert_true(view >= 0);
	/* nobody else can see it, and nothing has to be taken away */
	assert_int_equal(count_mounts(), mounts);
	assert_int_equal(unlinkat(view, "f", 0), 0);
	assert_int_equal(unlinkat(view, "d/x", 0), 0);
	assert_int_equal(unlinkat(view, "d", AT_REMOVEDIR), 0);
	assert_int_equal(mkdirat(view, "d", 0755), 0);
	close(view);
	shell("test -e lower/f && test -e lower/d/x");
	assert_int_equal(fstatat(scratch_fd, "upper/f", &st, 0), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
	{
		xb_auto_fd int d = openat(scratch_fd, "upper/d", O_RDONLY | O_CLOEXEC);
		char value = 0;

		assert_int_equal(fgetxattr(d, "user.overlay.opaque", &value, 1), 1);
		assert_int_equal(value, 'y');
	}
}

static void hundreds_of_layers_are_one_view(void **state)
{
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	xb_auto_fd int view = -1;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	need("userns", trees_root);
	for (int i = 0; i < 400; i++) {
		xb_autofree char *name = xb_format("layer%03d", i);
		xb_autofree char *below = xb_format("layer%03d/f%d", i, i);

		assert_int_equal(mkdirat(scratch_fd, name, 0755), 0);
		assert_int_equal(mkdirat(scratch_fd, below, 0755), 0);
		xb_strv_printf(&lowers, "%s/%s", scratch, name);
	}
	view = xb_tree_mount((const char *const *)lowers.items, lowers.len, NULL, NULL, &err);
	if (view < 0)
		fail_msg("%s", err.message);
	assert_true(holds(view, "f0") && holds(view, "f399"));
}

static void faults_are_told(void **state)
{
	xb_autofree char *missing = xb_format("%s/missing", scratch);
	const char *lowers[] = { missing, missing };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	const struct xb_overlay none = { .upper = -1, .work = -1 };

	(void)state;
	assert_int_equal(xb_tree_mount(lowers, 2, NULL, NULL, &err), -ENOENT);
	assert_int_equal(err.fault, XB_FAULT_STORE);
	assert_non_null(strstr(err.message, missing));
	assert_int_equal(xb_overlay_mount(&none, NULL), -EINVAL);
}

static void devices_do_not_open_in_a_view(void **state)
{
	(void)state;
	need("root", mknodat(scratch_fd, "probe", S_IFCHR | 0600, makedev(1, 3)) == 0);

	xb_autofree char *one = xb_format("%s/one", scratch);
	xb_autofree char *two = xb_format("%s/two", scratch);
	const char *lowers[] = { one, two };
	xb_auto_fd int view = -1;

	shell("mkdir one two && mknod one/null c 1 3");
	view = xb_tree_mount(lowers, 2, NULL, NULL, NULL);
	assert_true(view >= 0);
	assert_int_equal(openat(view, "null", O_RDONLY | O_CLOEXEC), -1);
	assert_int_equal(errno, EACCES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(one_directory_is_its_own_view),   TEST(no_directory_is_an_empty_tree),
		TEST(the_top_hides_what_is_below),     TEST(writes_go_to_the_upper_alone),
		TEST(hundreds_of_layers_are_one_view), TEST(faults_are_told),
		TEST(devices_do_not_open_in_a_view),
	};

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
