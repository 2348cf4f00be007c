/* SPDX-License-Identifier: Apache-2.0 */
/* Merged snapshots: the same tree as the kernel's overlay of them shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/layer/merge.h"
#include "builder/layer/tree.h"
#include "builder/layer/unpack.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#include "tests/unit/builder/layer/trees.h"

enum { LAYERS = 6, ROUNDS = 8 };

/* The paths of the snapshots made so far, top first. */
static void list_lowers(struct xb_strv *lowers, int round, int count)
{
	for (int i = count - 1; i >= 0; i--)
		xb_strv_printf(lowers, "%s/r%d.%d/fs", scratch, round, i);
}

static int view_of(int round, int count)
{
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	int fd;

	list_lowers(&lowers, round, count);
	fd = xb_tree_mount((const char *const *)xb_strv_argv(&lowers), lowers.len, NULL, NULL,
			   NULL);
	assert_true(fd >= 0);
	return fd;
}

/* A stack of snapshots as steps leave them. */
static void make_stack(struct rng *rng, int round)
{
	for (int i = 0; i < LAYERS; i++) {
		xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
		xb_autofree char *name = xb_format("r%d.%d", round, i);
		xb_autofree char *upper = xb_format("%s/%s/fs", scratch, name);
		xb_autofree char *work = xb_format("%s/%s/work", scratch, name);
		xb_auto_fd int view = -1;

		snapshot_make(name);
		list_lowers(&lowers, round, i);
		view = xb_tree_mount((const char *const *)xb_strv_argv(&lowers), lowers.len, upper,
				     work, NULL);
		assert_true(view >= 0);
		random_steps(rng, view, i == 0 ? 120 : 40, i == 0 ? 0 : 4);
		random_times(rng, view, 0);
	}
}

static int merge(int round, const char *name, enum xb_merge_how how)
{
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int into;

	snapshot_make(name);
	into = openat(scratch_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(into >= 0);
	{
		xb_auto_fd int top = into;

		into = openat(top, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	list_lowers(&lowers, round, LAYERS);
	if (xb_tree_merge((const char *const *)xb_strv_argv(&lowers), lowers.len, how, into, &err) <
	    0)
		fail_msg("%s", err.message);
	return into;
}

static void a_merged_stack_is_what_overlay_shows(void **state)
{
	struct rng rng = { .state = 2463534242 };

	(void)state;
	need("userns", trees_root);
	for (int round = 0; round < ROUNDS; round++) {
		xb_autofree char *name = xb_format("merged%d", round);
		xb_auto_fd int merged = -1;
		xb_auto_fd int view = -1;

		make_stack(&rng, round);
		view = view_of(round, LAYERS);
		merged = merge(round, name, XB_MERGE_LINK);
		assert_trees_equal(view, merged);
	}
}

static void a_copied_stack_shares_no_file_with_its_parents(void **state)
{
	struct rng rng = { .state = 88172645463325252 };

	(void)state;
	need("userns", trees_root);
	for (int round = 0; round < ROUNDS; round++) {
		xb_autofree char *name = xb_format("copied%d", round);
		xb_auto_fd int copied = -1;
		xb_auto_fd int view = -1;

		make_stack(&rng, round);
		view = view_of(round, LAYERS);
		copied = merge(round, name, XB_MERGE_COPY);
		trees_ignore_links = true;
		assert_trees_equal(view, copied);
		trees_ignore_links = false;
		{
			xb_autofree char *path = xb_format("%s/%s/fs", scratch, name);

			/* every file has one name, in the copy */
			assert_int_equal(scratch_run((const char *[]){
						 "sh", "-c",
						 "test -z \"$(find \"$1\" ! -type d -links +1)\"",
						 "sh", path, NULL }),
					 0);
		}
	}
}

/* What a snapshot holds stays as it is, whoever shares it. */
static void attributes_and_owners_of_the_top_count(void **state)
{
	xb_auto_fd int merged = -1;
	char value[8] = "";
	struct stat st;

	(void)state;
	need("userns", trees_root);
	for (int i = 0; i < LAYERS; i++) {
		xb_autofree char *name = xb_format("r0.%d", i);
		xb_autofree char *dir = xb_format("r0.%d/fs/d", i);

		snapshot_make(name);
		assert_int_equal(mkdirat(scratch_fd, dir, 0755), 0);
		if (i == 0)
			assert_int_equal(setxattr(scratch_path(dir), "user.old", "x", 1, 0), 0);
	}
	assert_int_equal(setxattr(scratch_path("r0.5/fs/d"), "user.new", "y", 1, 0), 0);
	assert_int_equal(fchmodat(scratch_fd, "r0.5/fs", 0711, 0), 0);
	merged = merge(0, "m", XB_MERGE_LINK);
	assert_int_equal(getxattr(scratch_path("m/fs/d"), "user.old", value, sizeof(value)), -1);
	assert_int_equal(getxattr(scratch_path("m/fs/d"), "user.new", value, sizeof(value)), 1);
	assert_int_equal(fstat(merged, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_merged_stack_is_what_overlay_shows),
		TEST(a_copied_stack_shares_no_file_with_its_parents),
		TEST(attributes_and_owners_of_the_top_count),
	};

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
