/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the context that change between the making of a step's key and the reading of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "builder/layer/unpack.h"
#include "builder/solve/trees.h"
#include "tests/unit/builder/solve/build.h"

#define SH   "SHELL [\"/busybox\", \"sh\", \"-c\"]\n"
#define BASE "FROM scratch\nCOPY busybox /\n" SH

/* What happens when a snapshot begins and when it is committed: keys are made before, files are
 * read in between. */
static struct {
	const char *name; /* the file; NULL: nothing happens */
	const char *at_begin;
	const char *at_commit;
} edit;

static void write_once(const char **text)
{
	const char *now = *text;

	*text = NULL;
	if (edit.name != NULL && now != NULL)
		scratch_write(edit.name, now);
}

/* Instead of the C library's; children that are confined call them too. */
int mkdirat(int dir, const char *name, mode_t mode)
{
	write_once(&edit.at_begin);
	return (int)syscall(SYS_mkdirat, dir, name, mode);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	if (edit.at_begin == NULL)
		write_once(&edit.at_commit);
	return (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

static char *file_of(const struct build *b, const char *name)
{
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(100);
	xb_auto_fd int tree = xb_trees_open(b->store, build_result(b), 0, &warnings, NULL);

	assert_true(tree >= 0);
	assert_int_equal(xb_file_read_at(tree, name, &text, NULL), 0);
	return xb_strdup(xb_str_text(&text));
}

static void assert_holds(const struct build *b, const char *name, const char *wanted)
{
	xb_autofree char *text = file_of(b, name);

	assert_string_equal(text, wanted);
}

/* Build with a file that has changed once the last step reads it. */
static void build_changing(struct build *b, const char *text)
{
	edit.name = "c/f";
	edit.at_begin = "two";
	build(b, text);
	assert_null(edit.at_begin);
	edit.name = NULL;
}

/* One such build, then one with the file as it was when the first one began. */
static void assert_not_reused(struct build *b, const char *text)
{
	scratch_write("c/f", "one");
	build_changing(b, text);
	scratch_write("c/f", "one");
	build(b, text);
	assert_int_equal(b->ran, 1);
	assert_holds(b, "f", "one");
	scratch_write("c/f", "two");
	build(b, text);
	assert_int_equal(b->ran, 1);
	assert_holds(b, "f", "two");
	/* what nobody changed is found again */
	build(b, text);
	assert_int_equal(b->ran, 0);
}

static void a_copy_of_what_has_changed_is_not_reused(void **state)
{
	assert_not_reused(*state, "FROM scratch\nCOPY f /\n");
}

static void nor_one_onto_a_tree(void **state)
{
	struct build *b = *state;

	/* the file is replaced: the copy stands on the whole tree */
	build(b, "FROM scratch\nCOPY <<e /f\nzero\ne\n");
	assert_not_reused(b, "FROM scratch\nCOPY <<e /f\nzero\ne\nCOPY f /\n");
}

static void nor_one_without_a_parent(void **state)
{
	assert_not_reused(*state, "FROM scratch\nCOPY --link f /\n");
}

static void nor_what_a_command_was_shown(void **state)
{
	struct build *b = *state;

	build(b, BASE);
	assert_not_reused(b, BASE "RUN --mount=type=bind,target=/m /busybox cat /m/f >/f\n");
}

/* A file that changed for a moment, and then was what it had been. */
static void nor_what_was_different_for_a_moment(void **state)
{
	struct build *b = *state;
	static const char text[] = "FROM scratch\nCOPY f /\n";

	scratch_write("c/f", "one");
	edit.at_commit = "one";
	build_changing(b, text);
	edit.at_commit = NULL;
	assert_holds(b, "f", "two");
	scratch_write("c/f", "one");
	build(b, text);
	assert_int_equal(b->ran, 1);
	assert_holds(b, "f", "one");
}

/* Layers that are packed straight from the context. */
static void nor_a_layer_without_a_tree(void **state)
{
	struct build *b = *state;
	static const char text[] = "FROM scratch\nCOPY d /d/\n";

	b->layers_only = true;
	assert_int_equal(mkdirat(scratch_fd, "c/d", 0755), 0);
	scratch_write("c/d/f", "one");
	edit.name = "c/d/f";
	edit.at_begin = "two";
	build(b, text);
	edit.name = NULL;
	scratch_write("c/d/f", "one");
	build(b, text);
	assert_int_equal(b->ran, 1);
	b->layers_only = false;
	build(b, text);
	assert_int_equal(b->ran, 0);
	assert_holds(b, "d/f", "one");
}

/* What stands on such a step is known by what it is made from, and is reused. */
static void what_follows_has_its_own_key(void **state)
{
	struct build *b = *state;
	static const char text[] = BASE "COPY f /\nRUN /busybox cat /f\n";

	/* or a second that begins between two writings would make another layer */
	b->epoch = 1000000000;
	scratch_write("c/f", "one");
	build(b, BASE);
	build_changing(b, text);
	assert_non_null(strstr(xb_str_text(&b->output), "two"));
	scratch_write("c/f", "two");
	build(b, text);
	assert_int_equal(b->ran, 1);
	scratch_write("c/f", "one");
	build(b, text);
	assert_int_equal(b->ran, 2);
	assert_non_null(strstr(xb_str_text(&b->output), "one"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		build_test(a_copy_of_what_has_changed_is_not_reused),
		build_test(nor_one_onto_a_tree),
		build_test(nor_one_without_a_parent),
		build_test(nor_what_a_command_was_shown),
		build_test(nor_what_was_different_for_a_moment),
		build_test(nor_a_layer_without_a_tree),
		build_test(what_follows_has_its_own_key),
	};

	(void)argc;
	/* layers that are packed straight get their tree by unpacking */
	if (xb_unpack_wanted(argv[0]))
		return xb_unpack_main();
	build_become_root();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
