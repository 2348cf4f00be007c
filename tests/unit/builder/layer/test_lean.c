/* SPDX-License-Identifier: Apache-2.0 */
/* What a step leaves as it was is in no layer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/layer/lean.h"
#include "builder/layer/tree.h"
#include "builder/layer/unpack.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#include "tests/unit/builder/layer/trees.h"

/* Two layers below: what the upper one hides shows no more. */
static const char *const below = "mkdir -p 0/fs/d/sub 0/fs/e 0/fs/o 1/fs && cd 0/fs &&"
				 "echo lock > d/lock && echo b > d/sub/b && echo e > e/e && ln -s "
				 "e e/link && echo o > o/o &&"
				 "echo gone > gone && setfattr -n user.a -v 1 d/lock &&"
				 "touch -h -d @1000000000 d/lock d/sub/b e/e e/link o/o gone && "
				 "touch -d @1000000000 d/sub d e o &&"
				 "cd ../../1/fs && mkdir o && echo two > two && touch -d "
				 "@1000000000 two o && mknod gone c 0 0 &&"
				 "setfattr -n user.overlay.opaque -v y o";

static void run_in(const char *dir, const char *script)
{
	assert_int_equal(scratch_run((const char *[]){ "sh", "-ec", "cd \"$1\" && eval \"$2\"",
						       "sh", dir, script, NULL }),
			 0);
}

/* Run a script on an overlay of the two, make what it leaves lean, and list that. */
static char *left_after(const char *script)
{
	xb_autofree char *top = xb_format("%s/1/fs", scratch);
	xb_autofree char *bottom = xb_format("%s/0/fs", scratch);
	xb_autofree char *upper = xb_format("%s/c/fs", scratch);
	xb_autofree char *work = xb_format("%s/c/work", scratch);
	const char *const stack[] = { top, bottom };
	const struct timespec since = { .tv_sec = 1500000000 };
	xb_auto_str struct xb_str list = XB_STR_INIT(XB_STR_OWN);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int fs = -1;

	run_in(scratch, below);
	snapshot_make("c");
	{
		xb_auto_fd int view = xb_tree_mount(stack, 2, upper, work, &err);
		char path[64];

		if (view < 0)
			fail_msg("%s", err.message);
		(void)fcntl(view, F_SETFD, 0);
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), view);
		run_in(path, script);
	}
	fs = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (xb_lean_make(fs, stack, 2, &since, &err) < 0)
		fail_msg("%s", err.message);
	run_in(upper, "find . -mindepth 1 -printf '%P %y\\n' | sort | tr '\\n' ',' > ../list");
	assert_int_equal(xb_file_read_at(scratch_fd, "c/list", &list, NULL), 0);
	return xb_str_steal(&list);
}

/* One case: a script, and what has to be left of it. */
struct lean_case {
	const char *what;
	const char *script;
	const char *left;
};

static const struct lean_case cases[] = {
	{ "opened and not written", ": >> d/lock; : >> d/sub/b; : >> two", "" },
	{ "set to what it was", "chmod 600 e/e; chmod 644 e/e; chmod 700 d/sub; chmod 755 d/sub",
	  "" },
	{ "written anew as it was", "echo lock > d/lock; touch -d @1000000000 d/lock", "" },
	{ "other content, same size and time", "echo LOCK > d/lock; touch -d @1000000000 d/lock",
	  "d d,d/lock f," },
	{ "another mode", "chmod 600 e/e", "e d,e/e f," },
	{ "another attribute", "setfattr -n user.a -v 2 d/lock", "d d,d/lock f," },
	{ "another time", "touch -d @1000000001 d/sub", "d d,d/sub d," },
	{ "one file of several", ": >> d/lock; echo new > d/new", "d d,d/new f," },
	{ "of two names now", "ln d/lock d/second", "d d,d/lock f,d/second f," },
	{ "what the layer above hides",
	  "echo gone > gone; touch -d @1000000000 gone; "
	  "echo o > o/o; touch -d @1000000000 o/o o",
	  "gone f,o d,o/o f," },
	{ "removed", "rm d/lock; rm -r e", "d d,d/lock c,e c," },
	{ "made anew as it was",
	  "rm -r d/sub; mkdir d/sub; echo b > d/sub/b;"
	  "touch -d @1000000000 d/sub/b d/sub d",
	  "d d,d/sub d,d/sub/b f," },
};

static void what_is_as_it_was_is_left_out(void **state)
{
	(void)state;
	need("userns", trees_root);
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_autofree char *left = left_after(cases[i].script);

		if (strcmp(left, cases[i].left) != 0)
			fail_msg("%s: %s and not %s", cases[i].what, left, cases[i].left);
		run_in(scratch, "rm -rf 0 1 c");
	}
}

static void times_of_directories_stay(void **state)
{
	xb_autofree char *left = NULL;
	struct stat st;

	(void)state;
	need("userns", trees_root);
	left = left_after(": >> d/lock; chmod 700 d");
	assert_string_equal(left, "d d,");
	assert_int_equal(stat(scratch_path("c/fs/d"), &st), 0);
	assert_int_equal(st.st_mtime, 1000000000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_as_it_was_is_left_out),
		TEST(times_of_directories_stay),
	};

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
