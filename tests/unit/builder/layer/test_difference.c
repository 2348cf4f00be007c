/* SPDX-License-Identifier: Apache-2.0 */
/* Differences of copied trees: the layers that an overlay would have given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/layer/difference.h"
#include "builder/layer/listing.h"
#include "builder/layer/merge.h"
#include "builder/layer/pack.h"
#include "builder/layer/tree.h"
#include "builder/layer/unpack.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#include "tests/unit/builder/layer/trees.h"

enum { LAYERS = 3, ROUNDS = 30, EPOCH = 1150000000 };

static int open_below(const char *snapshot, const char *name)
{
	xb_autofree char *path = xb_format("%s/%s", snapshot, name);
	int fd = openat(scratch_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int overlay_on(const struct xb_strv *lowers, const char *snapshot)
{
	xb_autofree char *upper = xb_format("%s/%s/fs", scratch, snapshot);
	xb_autofree char *work = xb_format("%s/%s/work", scratch, snapshot);
	int fd = xb_tree_mount((const char *const *)xb_strv_argv(lowers), lowers->len, upper, work,
			       NULL);

	assert_true(fd >= 0);
	return fd;
}

/* A copy of the tree in the snapshot's work directory, listed. */
static int copy_of(const struct xb_strv *lowers, const char *snapshot)
{
	xb_auto_fd int work = open_below(snapshot, "work");
	int tree;

	assert_int_equal(mkdirat(work, "tree", 0755), 0);
	tree = openat(work, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(tree >= 0);
	assert_int_equal(xb_tree_merge((const char *const *)xb_strv_argv(lowers), lowers->len,
				       XB_MERGE_COPY, tree, NULL),
			 0);
	assert_int_equal(xb_listing_write(tree, work, NULL), 0);
	return tree;
}

static void take(const char *snapshot, int tree)
{
	xb_auto_fd int work = open_below(snapshot, "work");
	xb_auto_fd int fs = open_below(snapshot, "fs");
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_difference_take(tree, work, fs, &err) < 0)
		fail_msg("%s", err.message);
}

static struct xb_digest layer_of(const char *snapshot)
{
	const struct xb_pack_options options = { .epoch = EPOCH };
	xb_auto_fd int fs = open_below(snapshot, "fs");
	struct xb_layer_info info;

	assert_int_equal(xb_layer_pack(fs, &options, -1, &info, NULL), 0);
	return info.diff_id;
}

/* The paths of the snapshots made so far, top first. */
static void list_lowers(struct xb_strv *lowers, int round, int count)
{
	for (int i = count - 1; i >= 0; i--)
		xb_strv_printf(lowers, "%s/r%d.%d/fs", scratch, round, i);
}

static void make_stack(struct rng *rng, int round)
{
	for (int i = 0; i < LAYERS; i++) {
		xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
		xb_autofree char *name = xb_format("r%d.%d", round, i);
		xb_auto_fd int view = -1;

		snapshot_make(name);
		list_lowers(&lowers, round, i);
		view = overlay_on(&lowers, name);
		random_steps(rng, view, i == 0 ? 100 : 40, i == 0 ? 0 : 4);
		random_times(rng, view, 0);
	}
}

static void a_copy_gives_the_layer_of_an_overlay(void **state)
{
	struct rng rng = { .state = 362436069 };

	(void)state;
	need("userns", trees_root);
	for (int round = 0; round < ROUNDS; round++) {
		xb_autofree char *by_overlay = xb_format("o%d", round);
		xb_autofree char *by_copy = xb_format("c%d", round);
		xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
		struct rng again;

		make_stack(&rng, round);
		list_lowers(&lowers, round, LAYERS);
		again = rng;
		snapshot_make(by_overlay);
		snapshot_make(by_copy);
		{
			xb_auto_fd int view = overlay_on(&lowers, by_overlay);

			random_steps(&rng, view, 30, 4);
		}
		{
			xb_auto_fd int tree = copy_of(&lowers, by_copy);

			random_steps(&again, tree, 30, 4);
			take(by_copy, tree);
		}
		if (strcmp(layer_of(by_overlay).text, layer_of(by_copy).text) != 0) {
			xb_auto_fd int one = open_below(by_overlay, "fs");
			xb_auto_fd int other = open_below(by_copy, "fs");

			assert_trees_equal(one, other);
			fail_msg("round %d: only in opaque directories", round);
		}
	}
}

/* Single cases, on a small tree of one layer. */

static const char *const tree_script =
	"mkdir -p fs/d/sub fs/e && echo one > fs/d/a && echo two > fs/d/sub/b && echo x > fs/e/f &&"
	"touch -d @1000000000 fs/d/a fs/d/sub/b fs/e/f fs/d/sub fs/d fs/e";

/* Make the tree, change a copy of it by a script, and list what is in the difference. */
static char *difference_after(const char *script)
{
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	xb_autofree char *base = xb_format("%s/base", scratch);
	xb_autofree char *path = xb_format("%s/%s/%s/tree", scratch, "c", "work");
	xb_auto_str struct xb_str list = XB_STR_INIT(XB_STR_OWN);
	xb_auto_fd int tree = -1;

	snapshot_make("base");
	snapshot_make("c");
	assert_int_equal(scratch_run((const char *[]){ "sh", "-ec", "cd \"$1\" && eval \"$2\"",
						       "sh", base, tree_script, NULL }),
			 0);
	xb_strv_printf(&lowers, "%s/fs", base);
	tree = copy_of(&lowers, "c");
	assert_int_equal(scratch_run((const char *[]){ "sh", "-ec", "cd \"$1\" && eval \"$2\"",
						       "sh", path, script, NULL }),
			 0);
	take("c", tree);
	assert_int_equal(scratch_run((const char *[]){
				 "sh", "-ec",
				 "cd \"$1/c/fs\" && find . -mindepth 1 -printf '%P %y\\n'"
				 "| sort | tr '\\n' ',' > \"$1/list\"",
				 "sh", scratch, NULL }),
			 0);
	assert_int_equal(xb_file_read_at(scratch_fd, "list", &list, NULL), 0);
	return xb_str_steal(&list);
}

static void what_nobody_touched_is_not_in_the_difference(void **state)
{
	xb_autofree char *list = NULL;

	(void)state;
	need("userns", trees_root);
	list = difference_after("cat d/a > /dev/null; ls -lR > /dev/null");
	assert_string_equal(list, "");
}

static void a_change_that_hides_itself_is_seen(void **state)
{
	xb_autofree char *list = NULL;

	(void)state;
	need("userns", trees_root);
	/* same size, same time, same inode */
	list = difference_after("printf ONE | dd of=d/a conv=notrunc status=none;"
				"touch -d @1000000000 d/a");
	assert_string_equal(list, "d d,d/a f,");
}

static void what_was_removed_is_a_whiteout(void **state)
{
	xb_autofree char *list = NULL;

	(void)state;
	need("userns", trees_root);
	list = difference_after("rm -r d/sub e");
	assert_string_equal(list, "d d,d/sub c,e c,");
}

static void a_directory_made_anew_hides_what_was_there(void **state)
{
	xb_autofree char *list = NULL;
	xb_auto_fd int dir = -1;
	char value = 0;

	(void)state;
	need("userns", trees_root);
	list = difference_after("rm -r d; mkdir d; rm -r e; echo file > e");
	assert_string_equal(list, "d d,e f,");
	dir = open_below("c", "fs/d");
	assert_int_equal(fgetxattr(dir, "user.overlay.opaque", &value, 1), 1);
}

static void what_is_moved_is_new_where_it_is(void **state)
{
	xb_autofree char *list = NULL;

	(void)state;
	need("userns", trees_root);
	list = difference_after("mv d g; rm e/f; mv e/ g/e");
	assert_string_equal(list, "d c,e c,g d,g/a f,g/e d,g/sub d,g/sub/b f,");
}

static void marks_of_an_overlay_are_not_taken_over(void **state)
{
	xb_autofree char *list = NULL;
	xb_auto_fd int dir = -1;
	char value[8];

	(void)state;
	need("userns", trees_root);
	list = difference_after("setfattr -n user.overlay.opaque -v y d; echo new > d/n;"
				"setfattr -n user.overlay.metacopy -v x d/n; "
				"setfattr -n user.kept -v x d/n");
	assert_string_equal(list, "d d,d/n f,");
	dir = open_below("c", "fs/d");
	assert_int_equal(fgetxattr(dir, "user.overlay.opaque", value, sizeof(value)), -1);
	assert_int_equal(
		getxattr(scratch_path("c/fs/d/n"), "user.overlay.metacopy", value, sizeof(value)),
		-1);
	assert_int_equal(getxattr(scratch_path("c/fs/d/n"), "user.kept", value, sizeof(value)), 1);
}

static void a_device_that_means_removed_is_refused(void **state)
{
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int tree = -1;
	xb_auto_fd int work = -1;
	xb_auto_fd int fs = -1;

	(void)state;
	need("userns", trees_root);
	snapshot_make("base");
	snapshot_make("c");
	xb_strv_printf(&lowers, "%s/base/fs", scratch);
	tree = copy_of(&lowers, "c");
	assert_int_equal(mknodat(tree, "gone", S_IFCHR | 0600, makedev(0, 0)), 0);
	work = open_below("c", "work");
	fs = open_below("c", "fs");
	assert_int_equal(xb_difference_take(tree, work, fs, &err), -EINVAL);
	assert_int_equal(err.fault, XB_FAULT_STEP);
	assert_non_null(strstr(err.message, "gone"));
}

static void paths_are_in_the_order_of_a_walk(void **state)
{
	static const char *const ordered[] = {
		"a", "a/b", "a/b/c", "a/c", "a b", "a-b", "ab", "b"
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(ordered); i++)
		for (size_t j = 0; j < XB_COUNT(ordered); j++) {
			int order = xb_listing_order(ordered[i], ordered[j]);

			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_copy_gives_the_layer_of_an_overlay),
		TEST(what_nobody_touched_is_not_in_the_difference),
		TEST(a_change_that_hides_itself_is_seen),
		TEST(what_was_removed_is_a_whiteout),
		TEST(a_directory_made_anew_hides_what_was_there),
		TEST(what_is_moved_is_new_where_it_is),
		TEST(marks_of_an_overlay_are_not_taken_over),
		TEST(a_device_that_means_removed_is_refused),
		TEST(paths_are_in_the_order_of_a_walk),
	};

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
