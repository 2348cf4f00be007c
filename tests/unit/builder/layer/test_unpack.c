/* SPDX-License-Identifier: Apache-2.0 */
/* Layers there and back: what is packed and applied again is the tree that it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "builder/layer/pack.h"
#include "builder/layer/tree.h"
#include "builder/layer/unpack.h"
#include "manifest/media.h"
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
					       info->diff_id, false };
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

/* ---- blobs that arrive ---------------------------------------------------------------------- */

/* Somebody who writes a blob piece by piece, and is in no hurry. */
struct producer {
	int from;	 /* the whole blob */
	int to;		 /* where it arrives */
	uint64_t size;	 /* bytes to write */
	uint64_t broken; /* the byte that is not what it was; UINT64_MAX: none */
	struct rng rng;
};

static void produce(struct producer *p, struct xb_unpack_job *job)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	char piece[4096];
	uint64_t at = 0;

	while (at < p->size) {
		size_t most = 1 + rng_below(&p->rng, sizeof(piece));
		size_t len = p->size - at < most ? (size_t)(p->size - at) : most;

		assert_int_equal(pread(p->from, piece, len, (off_t)at), len);
		if (p->broken >= at && p->broken < at + len)
			piece[p->broken - at] ^= 1;
		assert_int_equal(pwrite(p->to, piece, len, (off_t)at), len);
		at += len;
		xb_layer_unpack_grown(job, at);
		if (rng_below(&p->rng, 4) == 0)
			(void)nanosleep(&pause, NULL);
	}
}

/* A random tree as a blob, in `ret` what it is. */
static int random_blob(uint64_t seed, enum xb_compression compression, struct xb_layer_info *ret)
{
	const struct xb_pack_options options = { .epoch = -1, .compression = compression };
	struct stack made = { "made", 0 };
	struct rng rng = { seed };
	int view;

	stack_push(&made);
	view = stack_view(&made, true);
	random_steps(&rng, view, 150, 0);
	random_times(&rng, view, 0);
	close(view);
	return stack_pack(&made, &options, ret);
}

/* Let `p->size` bytes arrive in a file of this name, and unpack them meanwhile. */
static int unpack_arriving(struct producer *p, const struct xb_layer_info *info, int dest,
			   const struct xb_unpack_limits *limits, struct xb_unpack_report *report)
{
	const struct xb_unpack_layer layer = { info->media_type, info->size, info->digest,
					       info->diff_id, false };
	xb_auto_unpack_job struct xb_unpack_job *job = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int file =
		openat(scratch_fd, "arrives", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(file >= 0);
	p->to = file;
	if (xb_layer_unpack_begin(file, &layer, dest, limits, &job, &err) < 0)
		fail_msg("%s", err.message);
	produce(p, job);
	return xb_layer_unpack_finish(job, report, &err);
}

static void a_layer_is_unpacked_while_it_arrives(void **state)
{
	need("userns", trees_root);
	for (int i = 0; i < 3; i++) {
		struct stack made = { "made", 1 }, applied = { "applied", 0 };
		xb_auto_unpack_report struct xb_unpack_report report = XB_UNPACK_REPORT_INIT;
		struct xb_layer_info info;
		xb_auto_fd int blob = random_blob(17 + (uint64_t)i, (enum xb_compression)i, &info);
		struct producer p = { blob, -1, info.size, UINT64_MAX, { 5 } };
		int view;

		stack_push(&applied);
		view = stack_view(&applied, true);
		assert_int_equal(unpack_arriving(&p, &info, view, NULL, &report), 0);
		close(view);
		assert_int_equal(report.entries, info.entries);
		assert_int_equal(report.tar_size, info.tar_size);
		{
			xb_auto_fd int a = stack_view(&made, false);
			xb_auto_fd int b = stack_view(&applied, false);

			assert_trees_equal(a, b);
		}
		assert_int_equal(scratch_teardown(state), 0);
		assert_int_equal(scratch_setup(state), 0);
	}
}

/* Whatever arrives, it is only good when the digest is right. */
static void what_arrives_otherwise_is_refused(void **state)
{
	const struct xb_unpack_limits few = { .entries = 2 };
	struct xb_layer_info info;
	xb_auto_fd int blob = -1;

	(void)state;
	need("userns", trees_root);
	blob = random_blob(99, XB_COMPRESSION_GZIP, &info);
	{
		const struct {
			struct producer p;
			const struct xb_unpack_limits *limits;
			int error;
		} cases[] = {
			{ { blob, -1, info.size - 1, UINT64_MAX, { 1 } }, NULL, -EBADMSG },
			{ { blob, -1, info.size / 2, UINT64_MAX, { 2 } }, NULL, -EBADMSG },
			{ { blob, -1, 0, UINT64_MAX, { 3 } }, NULL, -EBADMSG },
			{ { blob, -1, info.size, info.size - 1, { 4 } }, NULL, -EBADMSG },
			{ { blob, -1, info.size, info.size / 2, { 5 } }, NULL, -EBADMSG },
			/* the child has ended long before the blob has */
			{ { blob, -1, info.size, UINT64_MAX, { 6 } }, &few, -EFBIG },
		};

		for (size_t i = 0; i < XB_COUNT(cases); i++) {
			struct stack applied = { "applied", 0 };
			struct producer p = cases[i].p;
			xb_auto_fd int view = -1;

			stack_push(&applied);
			view = stack_view(&applied, true);
			assert_int_equal(unpack_arriving(&p, &info, view, cases[i].limits, NULL),
					 cases[i].error);
			assert_int_equal(xb_remove_tree_at(scratch_fd, "applied0", NULL), 0);
		}
	}
}

/* Somebody gives up: the child ends, and nobody waits. */
static void a_blob_that_never_comes_holds_nobody(void **state)
{
	const struct xb_unpack_layer layer = { .media_type = XB_MEDIA_OCI_LAYER_GZIP,
					       .size = 1000,
					       .digest = xb_digest_of("x", 1) };
	struct xb_unpack_job *job = NULL;
	xb_auto_fd int file = xb_memfd_new("blob", NULL);
	xb_auto_fd int view = -1;
	struct stack applied = { "applied", 0 };

	(void)state;
	need("userns", trees_root);
	stack_push(&applied);
	view = stack_view(&applied, true);
	assert_int_equal(xb_layer_unpack_begin(file, &layer, view, NULL, &job, NULL), 0);
	/* more than fits between the two processes */
	assert_int_equal(write(file, "\x1f", 1), 1);
	for (int i = 0; i < 10000; i++)
		xb_layer_unpack_grown(job, 1);
	xb_unpack_job_free(job);
	xb_unpack_job_free(NULL);
}

/* As in a program whose main() does not ask whether it is the child. */
static void a_child_that_knows_nothing_of_it_starts_no_other(void **state)
{
	const struct xb_unpack_layer layer = { .media_type = XB_MEDIA_OCI_LAYER };
	char name[] = XB_UNPACK_NAME, *before = program_invocation_name;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int blob = -1;
	int r;

	(void)state;
	scratch_write("blob", "");
	blob = open(scratch_path("blob"), O_RDONLY | O_CLOEXEC);
	program_invocation_name = name;
	r = xb_layer_unpack(blob, &layer, scratch_fd, NULL, NULL, &err);
	program_invocation_name = before;
	assert_int_equal(r, -ELOOP);
	assert_int_equal(err.fault, XB_FAULT_INTERNAL);
	assert_non_null(strstr(err.message, "xb_unpack_wanted()"));
}

#define in_scratch(test) cmocka_unit_test_setup_teardown((test), scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		in_scratch(any_tree_comes_back),
		in_scratch(a_layer_is_unpacked_while_it_arrives),
		in_scratch(what_arrives_otherwise_is_refused),
		in_scratch(a_blob_that_never_comes_holds_nobody),
		in_scratch(a_child_that_knows_nothing_of_it_starts_no_other),
	};

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
