/* SPDX-License-Identifier: Apache-2.0 */
/* Layers there and back: what is packed and applied again is the tree that it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/layer/pack.h"
#include "builder/layer/tree.h"
#include "builder/layer/unpack.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#include "tests/unit/builder/layer/trees.h"

/* A stack of snapshots: PREFIX0 is the lowest. */
struct stack {
	const char *prefix;
	int depth;
};

static char *snapshot_path(const struct stack *stack, int index, const char *what)
{
	return xb_format("%s/%s%d/%s", scratch, stack->prefix, index, what);
}

/* The view of a stack, with the snapshot on top to be written when `writable`. */
static int stack_view(const struct stack *stack, bool writable)
{
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	xb_autofree char *upper = snapshot_path(stack, stack->depth - 1, "fs");
	xb_autofree char *work = snapshot_path(stack, stack->depth - 1, "work");
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int fd;

	for (int i = stack->depth - (writable ? 2 : 1); i >= 0; i--)
		xb_strv_take(&lowers, snapshot_path(stack, i, "fs"));
	fd = xb_tree_mount((const char *const *)lowers.items, lowers.len, writable ? upper : NULL,
			   writable ? work : NULL, &err);
	if (fd < 0)
		fail_msg("%s", err.message);
	return fd;
}

/* Add an empty snapshot on top. */
static void stack_push(struct stack *stack)
{
	xb_autofree char *name = xb_format("%s%d", stack->prefix, stack->depth++);

	snapshot_make(name);
}

/* Pack the snapshot on top into a file. */
static int stack_pack(const struct stack *stack, const struct xb_pack_options *options,
		      struct xb_layer_info *ret)
{
	xb_autofree char *path = snapshot_path(stack, stack->depth - 1, "fs");
	xb_auto_fd int upper = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int blob = xb_memfd_new("blob", NULL);

	assert_true(upper >= 0 && blob >= 0);
	if (xb_layer_pack(upper, options, blob, ret, &err) < 0)
		fail_msg("%s", err.message);
	return blob;
}

static void unpack(int blob, const struct xb_layer_info *info, int dest)
{
	const struct xb_unpack_layer layer = { info->media_type, info->size, info->digest,
					       info->diff_id };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_unpack_report struct xb_unpack_report report = XB_UNPACK_REPORT_INIT;

	if (xb_layer_unpack(blob, &layer, dest, NULL, &report, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(report.entries, info->entries);
	assert_int_equal(report.tar_size, info->tar_size);
	assert_int_equal(report.warnings.len, 0);
}

/* Make layers at random; after each, apply its blob to a second stack and compare the views. */
static void there_and_back(uint64_t seed, enum xb_compression compression)
{
	const struct xb_pack_options options = { .epoch = -1, .compression = compression };
	struct stack made = { "made", 0 }, applied = { "applied", 0 };
	struct rng rng = { seed * 0x9e3779b97f4a7c15 + 1 };

	for (int i = 0; i < 4; i++) {
		struct xb_layer_info info;
		xb_auto_fd int blob = -1;
		int view;

		stack_push(&made);
		stack_push(&applied);
		view = stack_view(&made, true);
		random_steps(&rng, view, i == 0 ? 120 : 40, i == 0 ? 0 : 4);
		random_times(&rng, view, 0);
		close(view);
		blob = stack_pack(&made, &options, &info);
		view = stack_view(&applied, true);
		unpack(blob, &info, view);
		close(view);
		{
			xb_auto_fd int a = stack_view(&made, false);
			xb_auto_fd int b = stack_view(&applied, false);

			assert_trees_equal(a, b);
		}
	}
}

static void any_tree_comes_back(void **state)
{
	need("userns", trees_root);
	for (uint64_t seed = 1; seed <= 8; seed++) {
		there_and_back(seed, (enum xb_compression)(seed % 3));
		assert_int_equal(scratch_teardown(state), 0);
		assert_int_equal(scratch_setup(state), 0);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(any_tree_comes_back, scratch_setup,
						scratch_teardown),
	};

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
