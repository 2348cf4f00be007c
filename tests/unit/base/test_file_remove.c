/* SPDX-License-Identifier: Apache-2.0 */
/* Removal of trees: deep, wide, locked, never through a link or a mount. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

static bool exists(const char *name)
{
	struct stat st;

	return fstatat(scratch_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void a_tree_of_all_kinds_goes(void **state)
{
	(void)state;
	assert_int_equal(xb_mkdir_all(scratch_path("t/a/b"), 0755, NULL), 0);
	assert_int_equal(xb_mkdir_all(scratch_path("t/empty"), 0755, NULL), 0);
	scratch_write("t/a/file", "x");
	scratch_write("t/a/b/file", "x");
	assert_int_equal(mkfifo(scratch_path("t/fifo"), 0600), 0);
	assert_int_equal(symlink("..", scratch_path("t/a/b/link")), 0);
	assert_int_equal(xb_remove_tree_at(scratch_fd, "t", NULL), 0);
	assert_false(exists("t"));
}

static void single_things_and_missing_ones_go(void **state)
{
	(void)state;
	scratch_write("file", "x");
	assert_int_equal(xb_remove_tree_at(scratch_fd, "file", NULL), 0);
	assert_false(exists("file"));
	assert_int_equal(xb_remove_tree_at(scratch_fd, "file", NULL), 0);
	assert_int_equal(xb_remove_tree_at(scratch_fd, "none/file", NULL), 0);
	assert_int_equal(xb_mkdir_all(scratch_path("a/b/c"), 0755, NULL), 0);
	assert_int_equal(xb_remove_tree_at(AT_FDCWD, scratch_path("a/b"), NULL), 0);
	assert_true(exists("a"));
	assert_false(exists("a/b"));
	assert_int_equal(xb_remove_tree_at(scratch_fd, "a/..", NULL), -EINVAL);
	assert_int_equal(xb_remove_tree_at(scratch_fd, ".", NULL), -EINVAL);
	assert_int_equal(xb_remove_tree_at(scratch_fd, "", NULL), -EINVAL);
}

static void links_are_removed_not_followed(void **state)
{
	(void)state;
	assert_int_equal(mkdir(scratch_path("canary"), 0755), 0);
	scratch_write("canary/file", "kept");
	assert_int_equal(mkdir(scratch_path("t"), 0755), 0);
	assert_int_equal(symlink("../canary", scratch_path("t/link")), 0);
	assert_int_equal(symlink(scratch_path("canary"), scratch_path("t/absolute")), 0);
	assert_int_equal(symlink("canary", scratch_path("top")), 0);
	assert_int_equal(xb_remove_tree_at(scratch_fd, "t", NULL), 0);
	assert_int_equal(xb_remove_tree_at(scratch_fd, "top", NULL), 0);
	assert_false(exists("t"));
	assert_false(exists("top"));
	assert_true(exists("canary/file"));
}

/* Directories in directories, `levels` deep, with a file in each. */
static void make_deep(const char *name, int levels)
{
	int fd = dup(scratch_fd), next;

	for (int i = 0; i < levels; i++) {
		const char *child = i == 0 ? name : "d";

		assert_int_equal(mkdirat(fd, child, 0755), 0);
		next = openat(fd, child, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		(void)close(fd);
		fd = next;
		next = openat(fd, "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		(void)close(next);
	}
	(void)close(fd);
}

static void depth_costs_no_descriptors(void **state)
{
	struct rlimit before, few;
	int lowest = dup(scratch_fd), r;

	(void)state;
	(void)close(lowest);
	make_deep("deep", 3000);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){ (rlim_t)lowest + 4, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	r = xb_remove_tree_at(scratch_fd, "deep", NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(r, 0);
	assert_false(exists("deep"));
}

static void width_is_removed_in_one_go(void **state)
{
	(void)state;
	assert_int_equal(mkdir(scratch_path("wide"), 0755), 0);
	for (int i = 0; i < 3000; i++) {
		char name[300];

		(void)snprintf(name, sizeof(name), "wide/%0200d", i);
		assert_int_equal(mkdirat(scratch_fd, name, 0755), 0);
		if (i % 3 == 0) {
			(void)snprintf(name, sizeof(name), "wide/%0200d/sub", i);
			assert_int_equal(mkdirat(scratch_fd, name, 0755), 0);
		}
	}
	assert_int_equal(xb_remove_tree_at(scratch_fd, "wide", NULL), 0);
	assert_false(exists("wide"));
}

/* Be a plain user for a while; /proc/self stays readable, as after an exec of that user. */
static void become_plain(void)
{
	need("plain-user", getuid() != 0 || is_root_with_ids());
	if (getuid() != 0)
		return;
	assert_int_equal(chmod(scratch, 0777), 0);
	assert_int_equal(setegid(65534), 0);
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
}

static void become_root_again(void)
{
	if (getuid() != 0)
		return;
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
}

static void directories_that_may_not_be_entered_go_too(void **state)
{
	int r;

	(void)state;
	become_plain();
	assert_int_equal(xb_mkdir_all(scratch_path("t/a/b/c"), 0755, NULL), 0);
	assert_int_equal(xb_mkdir_all(scratch_path("t/d/e"), 0755, NULL), 0);
	scratch_write("t/a/b/file", "x");
	assert_int_equal(chmod(scratch_path("t/a/b"), 0000), 0);
	assert_int_equal(chmod(scratch_path("t/a"), 0100), 0);
	assert_int_equal(chmod(scratch_path("t/d"), 0500), 0);
	assert_int_equal(chmod(scratch_path("t"), 0300), 0);
	r = xb_remove_tree_at(scratch_fd, "t", NULL);
	become_root_again();
	assert_int_equal(r, 0);
	assert_false(exists("t"));
}

static void what_may_not_be_removed_is_named(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int r;

	(void)state;
	need("root", is_root_with_ids());
	assert_int_equal(xb_mkdir_all(scratch_path("t/of-root"), 0755, NULL), 0);
	scratch_write("t/of-root/file", "x");
	become_plain();
	r = xb_remove_tree_at(scratch_fd, "t", &err);
	become_root_again();
	assert_int_equal(r, -EACCES);
	assert_string_equal(err.message, "removing t: of-root: Permission denied");
}

/* In a mount namespace of its own (see below): a tree with a mount in it stays where it is mounted.
 */
static int remove_with_mount(const char *tree)
{
	xb_autofree char *at = xb_format("%s/mounted", tree);
	xb_autofree char *file = xb_format("%s/mounted/file", tree);
	FILE *f;
	int r;

	if (mount("none", at, "tmpfs", 0, NULL) < 0)
		return 10;
	f = fopen(file, "we");
	if (f == NULL)
		return 11;
	(void)fclose(f);
	r = xb_remove_tree_at(AT_FDCWD, tree, NULL);
	if (r != -EXDEV)
		return 12;
	return access(file, F_OK) == 0 ? 0 : 13;
}

static void mounts_are_not_crossed(void **state)
{
	char self[4096] = "";

	(void)state;
	need("root", geteuid() == 0);
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_int_equal(xb_mkdir_all(scratch_path("t/mounted"), 0755, NULL), 0);
	assert_int_equal(
		scratch_run((const char *[]){ "unshare", "-m", self, scratch_path("t"), NULL }), 0);
}

/* Three entries are looked at: the tree, and two in it. */
static bool stop_at_fourth(void *context)
{
	int *asked = context;

	return ++*asked > 3;
}

static void it_stops_when_told(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int asked = 0;

	(void)state;
	assert_int_equal(xb_mkdir_all(scratch_path("t"), 0755, NULL), 0);
	for (char name[] = "t/a"; name[2] < 'k'; name[2]++)
		scratch_write(name, "x");
	assert_int_equal(xb_remove_tree_until(scratch_fd, "t", stop_at_fourth, &asked, &err),
			 -ECANCELED);
	assert_int_equal(asked, 4);
	assert_true(exists("t"));
	asked = -100;
	assert_int_equal(xb_remove_tree_until(scratch_fd, "t", stop_at_fourth, &asked, NULL), 0);
	assert_false(exists("t"));
	assert_int_equal(asked, -100 + 1 + 8);
}

#define in_scratch(test) cmocka_unit_test_setup_teardown((test), scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		in_scratch(a_tree_of_all_kinds_goes),
		in_scratch(single_things_and_missing_ones_go),
		in_scratch(links_are_removed_not_followed),
		in_scratch(depth_costs_no_descriptors),
		in_scratch(width_is_removed_in_one_go),
		in_scratch(directories_that_may_not_be_entered_go_too),
		in_scratch(what_may_not_be_removed_is_named),
		in_scratch(it_stops_when_told),
		in_scratch(mounts_are_not_crossed),
	};

	if (argc == 2)
		return remove_with_mount(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
