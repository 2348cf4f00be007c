/* SPDX-License-Identifier: Apache-2.0 */
/* The commit that is checked out, however a repository keeps it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "builder/cli/revision.h"
#include "tests/unit/scratch.h"

#define ONE "1111111111111111111111111111111111111111"
#define TWO "2222222222222222222222222222222222222222222222222222222222222222"

static void make_dir(const char *name)
{
	assert_int_equal(xb_mkdir_all(scratch_path(name), 0755, NULL), 0);
}

static void is(const char *path, const char *commit)
{
	xb_autofree char *found = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_revision_find(scratch_path(path), &found, &err) < 0)
		fail_msg("%s: %s", path, err.message);
	assert_string_equal(found, commit);
}

static void is_unknown(const char *path)
{
	char *found = NULL;

	assert_int_equal(xb_revision_find(scratch_path(path), &found, NULL), -EBADMSG);
	assert_null(found);
}

static void test_head(void **state)
{
	(void)state;
	make_dir("r/.git/refs/heads");
	make_dir("r/sub/dir");
	scratch_write("r/.git/HEAD", ONE "\n");
	is("r", ONE);
	is("r/sub/dir", ONE);
	scratch_write("r/.git/HEAD", TWO);
	is("r", TWO);
	scratch_write("r/.git/HEAD", "ref: refs/heads/main\n");
	is_unknown("r"); /* no commit yet */
	scratch_write("r/.git/packed-refs",
		      "# pack-refs with: peeled\n" TWO " refs/heads/other\n" ONE
		      " refs/heads/main\n^" TWO "\n");
	is("r", ONE);
	scratch_write("r/.git/refs/heads/main", TWO "\n"); /* the loose one is the newer */
	is("r/sub", TWO);
}

static void test_worktree(void **state)
{
	(void)state;
	make_dir("r/.git/refs/heads");
	make_dir("r/.git/worktrees/w");
	make_dir("w/sub");
	scratch_write("r/.git/HEAD", TWO "\n");
	scratch_write("r/.git/refs/heads/topic", ONE "\n");
	scratch_write("w/.git", "gitdir: ../r/.git/worktrees/w\n");
	scratch_write("r/.git/worktrees/w/HEAD", "ref: refs/heads/topic\n");
	scratch_write("r/.git/worktrees/w/commondir", "../..\n");
	is("w/sub", ONE);
}

static void test_odd(void **state)
{
	static const char *const heads[] = {
		"",
		"ref: \n",
		"ref: refs/../../../secret\n",
		"ref: /etc/passwd\n",
		"ref: refs/heads/.invalid\n",
		"111111111111111111111111111111111111111G\n",
		"11111111\n",
	};

	(void)state;
	make_dir("r/.git");
	scratch_write("secret", ONE);
	is_unknown("r");
	for (size_t i = 0; i < XB_COUNT(heads); i++) {
		scratch_write("r/.git/HEAD", heads[i]);
		is_unknown("r");
	}
}

static void test_none(void **state)
{
	char *found = NULL;

	(void)state;
	assert_int_equal(xb_revision_find("https://example.org/x.git", &found, NULL), 0);
	assert_null(found);
	assert_int_equal(xb_revision_find(scratch_path("missing"), &found, NULL), 0);
	assert_null(found);
	scratch_write(".git", "nothing of git\n");
	assert_int_equal(xb_revision_find(scratch, &found, NULL), 0);
	assert_null(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_head, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_worktree, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_odd, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_none, scratch_setup, scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
