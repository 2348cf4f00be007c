/* SPDX-License-Identifier: Apache-2.0 */
/* Owners of what a command has made, where they are recorded: everything runs below `unshare -r`.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/owner.h"
#include "builder/layer/owners.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

static void check(const char *name, uid_t uid, gid_t gid)
{
	struct stat st;

	assert_return_code(fstatat(scratch_fd, name, &st, AT_SYMLINK_NOFOLLOW), errno);
	if (!xb_owner_read(scratch_fd, name, &st))
		fail_msg("%s has no record", name);
	if (st.st_uid != uid || st.st_gid != gid)
		fail_msg("%s: %u:%u and not %u:%u", name, st.st_uid, st.st_gid, uid, gid);
}

static void make_dir(const char *name, mode_t mode)
{
	assert_return_code(mkdirat(scratch_fd, name, 0755), errno);
	assert_return_code(fchmodat(scratch_fd, name, mode, 0), errno);
}

static void settle(uid_t uid, gid_t gid)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_owners_settle(scratch_fd, uid, gid, &err) < 0)
		fail_msg("%s", err.message);
}

static void what_has_no_owner_is_the_users(void **state)
{
	(void)state;
	make_dir("d", 0755);
	scratch_write("d/f", "x");
	assert_return_code(symlinkat("f", scratch_fd, "d/l"), errno);
	settle(1000, 50);
	check("d", 1000, 50);
	check("d/f", 1000, 50);
	check("d/l", 1000, 50);
}

static void what_has_one_keeps_it(void **state)
{
	(void)state;
	scratch_write("f", "x");
	assert_return_code(symlinkat("f", scratch_fd, "l"), errno);
	assert_return_code(xb_owner_set(scratch_fd, "f", 0, 0), errno);
	assert_return_code(xb_owner_set(scratch_fd, "l", 7, 8), errno);
	settle(1000, 50);
	check("f", 0, 0);
	check("l", 7, 8);
	settle(2, 3);
	check("f", 0, 0);
}

static void a_group_comes_from_the_directory(void **state)
{
	(void)state;
	make_dir("d", 02775);
	assert_return_code(xb_owner_set(scratch_fd, "d", 0, 42), errno);
	make_dir("d/e", 02775);
	make_dir("d/plain", 0755);
	scratch_write("d/e/f", "x");
	scratch_write("d/plain/f", "x");
	scratch_write("f", "x");
	settle(5, 6);
	check("d/e", 5, 42);
	check("d/e/f", 5, 42);
	check("d/plain", 5, 42);
	check("d/plain/f", 5, 6);
	check("f", 5, 6);
}

static void a_part_that_is_unknown_is_filled_in(void **state)
{
	(void)state;
	make_dir("d", 02775);
	assert_return_code(xb_owner_set(scratch_fd, "d", 0, 42), errno);
	scratch_write("d/f", "x");
	scratch_write("f", "x");
	assert_return_code(xb_owner_set(scratch_fd, "d/f", 9, XB_OWNER_UNKNOWN), errno);
	assert_return_code(xb_owner_set(scratch_fd, "f", XB_OWNER_UNKNOWN, 9), errno);
	settle(5, 6);
	check("d/f", 9, 42);
	check("f", 5, 9);
}

static void marks_of_what_is_gone_stay(void **state)
{
	struct stat st;

	(void)state;
	assert_return_code(mknodat(scratch_fd, "gone", S_IFCHR, makedev(0, 0)), errno);
	settle(5, 6);
	assert_return_code(fstatat(scratch_fd, "gone", &st, AT_SYMLINK_NOFOLLOW), errno);
	assert_false(xb_owner_read(scratch_fd, "gone", &st));
}

static void they_hold_where_there_is_one_id(void **state)
{
	int status;

	(void)state;
	need("userns", system("unshare -Ur true") == 0);
	status = system("unshare -Ur \"$XB_SELF\" >&2");
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void elsewhere_nothing_is_recorded(void **state)
{
	struct stat st;

	(void)state;
	scratch_write("f", "x");
	settle(1000, 50);
	assert_return_code(fstatat(scratch_fd, "f", &st, 0), errno);
	assert_int_equal(st.st_uid, geteuid());
	assert_false(xb_owner_read(scratch_fd, "f", &st));
}

#define in_scratch(test) cmocka_unit_test_setup_teardown((test), scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest plain[] = {
		in_scratch(elsewhere_nothing_is_recorded),
		cmocka_unit_test(they_hold_where_there_is_one_id),
	};
	const struct CMUnitTest recorded[] = {
		in_scratch(what_has_no_owner_is_the_users),
		in_scratch(what_has_one_keeps_it),
		in_scratch(a_group_comes_from_the_directory),
		in_scratch(a_part_that_is_unknown_is_filled_in),
		in_scratch(marks_of_what_is_gone_stay),
	};
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		(void)setenv("XB_SELF", self, 1);
	}
	return xb_owner_recorded() ? cmocka_run_group_tests(recorded, NULL, NULL)
				   : cmocka_run_group_tests(plain, NULL, NULL);
}
