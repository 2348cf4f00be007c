/* SPDX-License-Identifier: Apache-2.0 */
/* Walking in a fixed order, without descriptors or stack to pay for depth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/str.h"
#include "builder/layer/inodes.h"
#include "builder/layer/prune.h"
#include "builder/layer/walk.h"
#include "tests/unit/scratch.h"

static void shell(const char *command)
{
	xb_autofree char *line = xb_format("cd '%s' && %s", scratch, command);

	if (scratch_run((const char *[]){ "sh", "-c", line, NULL }) != 0)
		fail_msg("failed: %s", command);
}

/* All events as text: "name", "name/" on the way in, "-name" on the way out. */
static int record(struct xb_str *out, bool (*enter)(const char *path))
{
	xb_auto_walk struct xb_walk *walk = NULL;
	struct xb_walk_entry e;
	int r = xb_walk_new(scratch_fd, &walk, NULL);

	while (r >= 0 && (r = xb_walk_next(walk, &e, NULL)) > 0) {
		bool dir = S_ISDIR(e.st.st_mode);

		if (e.event == XB_WALK_LEAVE) {
			xb_str_printf(out, "-%s ", e.path);
			continue;
		}
		xb_str_printf(out, "%s%s ", e.path, dir ? "/" : "");
		if (dir && (enter == NULL || enter(e.path)))
			r = xb_walk_enter(walk, NULL);
	}
	return r;
}

static bool not_skipped(const char *path)
{
	return strstr(path, "skip") == NULL;
}

static void names_come_in_order(void **state)
{
	xb_auto_str struct xb_str seen = XB_STR_INIT(10000);

	(void)state;
	shell("mkdir -p b/y b/x a skip/in && touch b/x/1 b/-z b/Z B a.b && ln -s b link && mkfifo "
	      "f");
	assert_int_equal(record(&seen, not_skipped), 0);
	assert_string_equal(xb_str_text(&seen),
			    "B a/ -a a.b b/ b/-z b/Z b/x/ b/x/1 -b/x b/y/ -b/y -b f link skip/ ");
}

static void an_empty_tree_has_no_events(void **state)
{
	xb_auto_str struct xb_str seen = XB_STR_INIT(100);

	(void)state;
	assert_int_equal(record(&seen, NULL), 0);
	assert_int_equal(seen.len, 0);
}

static void a_directory_that_moves_is_noticed(void **state)
{
	xb_auto_walk struct xb_walk *walk = NULL;
	struct xb_walk_entry e;
	struct xb_error err = XB_ERROR_INIT;

	(void)state;
	shell("mkdir -p a/b other");
	assert_int_equal(xb_walk_new(scratch_fd, &walk, NULL), 0);
	assert_int_equal(xb_walk_next(walk, &e, NULL), 1);
	assert_int_equal(xb_walk_enter(walk, NULL), 0);
	assert_int_equal(xb_walk_next(walk, &e, NULL), 1);
	assert_int_equal(xb_walk_enter(walk, NULL), 0);
	shell("mv a/b other/b");
	assert_int_equal(xb_walk_next(walk, &e, &err), -EXDEV);
	assert_non_null(strstr(err.message, "a/b"));
	xb_error_clear(&err);
}

static void a_directory_replaced_by_a_link_is_not_entered(void **state)
{
	xb_auto_walk struct xb_walk *walk = NULL;
	struct xb_walk_entry e;

	(void)state;
	shell("mkdir -p a/b z");
	assert_int_equal(xb_walk_new(scratch_fd, &walk, NULL), 0);
	assert_int_equal(xb_walk_next(walk, &e, NULL), 1);
	shell("rm -r a && ln -s z a");
	assert_true(xb_walk_enter(walk, NULL) < 0);
}

static void inodes_are_remembered(void **state)
{
	xb_auto_inodes struct xb_inodes t = XB_INODES_INIT;
	struct stat st = { .st_dev = 7 };

	(void)state;
	for (ino_t i = 1; i < 5000; i++) {
		st.st_ino = i * 512;
		assert_true(xb_inodes_get(&t, &st) == XB_INODES_NONE);
		xb_inodes_set(&t, &st, i);
		xb_inodes_set(&t, &st, i + 1);
	}
	for (ino_t i = 1; i < 5000; i++) {
		st.st_ino = i * 512;
		assert_int_equal(xb_inodes_get(&t, &st), i + 1);
	}
	assert_int_equal(t.len, 4999);
	st.st_dev = 8;
	assert_true(xb_inodes_get(&t, &st) == XB_INODES_NONE);
}

static void pruning_keeps_what_is_ours(void **state)
{
	static const char *const ours[] = { "d/old/deep/ours", "d/mine" };
	xb_auto_inodes struct xb_inodes keep = XB_INODES_INIT;
	struct stat st;

	(void)state;
	shell("mkdir -p d/old/deep d/mine/theirs d/gone/x && touch d/f d/old/f d/old/deep/ours "
	      "d/old/deep/f d/mine/f");
	for (size_t i = 0; i < XB_COUNT(ours); i++) {
		assert_int_equal(fstatat(scratch_fd, ours[i], &st, 0), 0);
		xb_inodes_set(&keep, &st, 0);
	}
	assert_int_equal(xb_prune(scratch_fd, "d", &keep, NULL), 0);
	shell("test \"$(find d | sort | tr '\\n' ' ')\" = "
	      "'d d/mine d/old d/old/deep d/old/deep/ours '");
	xb_inodes_clear(&keep);
	assert_int_equal(xb_prune(scratch_fd, "d", &keep, NULL), 0);
	shell("test ! -e d");
	assert_int_equal(xb_prune(scratch_fd, "d", &keep, NULL), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_come_in_order),
		TEST(an_empty_tree_has_no_events),
		TEST(a_directory_that_moves_is_noticed),
		TEST(a_directory_replaced_by_a_link_is_not_entered),
		TEST(inodes_are_remembered),
		TEST(pruning_keeps_what_is_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
