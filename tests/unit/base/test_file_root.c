/* SPDX-License-Identifier: Apache-2.0 */
/* Paths below a root of others: whatever the links say, nothing leaves it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

/* `scratch`/root is the root; what is beside it must never change. */
static int root = -1;

static const struct link {
	const char *name;
	const char *target;
} links[] = {
	{ "absolute", "/x" },
	{ "climbing", "../../../../../../../../up" },
	{ "dangling", "new/place" },
	{ "twice", "dangling/deep" },
	{ "loop", "loop" },
	{ "dir/up", "../x" },
	{ "outside", "/../../canary" },
	{ "slash", "x/" },
	{ "to-file", "file" },
};

static int setup(void **state)
{
	if (scratch_setup(state) < 0)
		return -1;
	scratch_write("canary", "kept");
	if (mkdir(scratch_path("root"), 0755) < 0 || mkdir(scratch_path("root/x"), 0755) < 0 ||
	    mkdir(scratch_path("root/dir"), 0755) < 0)
		return -1;
	scratch_write("root/file", "inside");
	scratch_write("root/canary", "inside canary");
	root = open(scratch_path("root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < XB_COUNT(links); i++)
		if (symlinkat(links[i].target, root, links[i].name) < 0)
			return -1;
	return root < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	xb_cleanup_fd(&root);
	return scratch_teardown(state);
}

static const struct made {
	const char *path;
	const char *where; /* below the root; NULL: an error */
	int error;
} mades[] = {
	{ "a/b/c", "a/b/c", 0 },
	{ "/a/b", "a/b", 0 },
	{ "a//b/./c/", "a/b/c", 0 },
	{ "../../up", "up", 0 },
	{ "a/../b", "b", 0 },
	{ "", ".", 0 },
	{ "/", ".", 0 },
	{ "x", "x", 0 },
	{ "absolute/n", "x/n", 0 },
	{ "absolute", "x", 0 },
	{ "climbing/n", "up/n", 0 },
	{ "dangling/n", "new/place/n", 0 },
	{ "dangling", "new/place", 0 },
	{ "twice/n", "new/place/deep/n", 0 },
	{ "dir/up/n", "x/n", 0 },
	{ "dir/up/../n", "n", 0 },
	{ "slash/n", "x/n", 0 },
	{ "loop/n", NULL, -ELOOP },
	{ "loop", NULL, -ELOOP },
	{ "file/n", NULL, -ENOTDIR },
	{ "file", NULL, -ENOTDIR },
	{ "to-file", NULL, -ENOTDIR },
	{ "outside/n", NULL, -ENOTDIR }, /* the root's own file "canary" */
};

static void assert_same(int fd, int dirfd, const char *path)
{
	struct stat a, b;

	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstatat(dirfd, path, &b, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_dev, b.st_dev);
}

static void directories_are_made_where_links_lead_inside(void **state)
{
	for (size_t i = 0; i < XB_COUNT(mades); i++) {
		xb_auto_fd int fd =
			xb_mkdir_in_root(root, mades[i].path, 0755, (uid_t)-1, (gid_t)-1, NULL);

		print_message("%s\n", mades[i].path);
		if (mades[i].where == NULL) {
			assert_int_equal(fd, mades[i].error);
			continue;
		}
		assert_true(fd >= 0);
		assert_same(fd, root, mades[i].where);
		xb_cleanup_fd(&fd);
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
	}
}

static void mode_is_exact_and_only_of_new_ones(void **state)
{
	mode_t mask = umask(077);
	struct stat st;
	xb_auto_fd int fd = xb_mkdir_in_root(root, "x/y/z", 02751, (uid_t)-1, (gid_t)-1, NULL);

	(void)state;
	(void)umask(mask);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 02751);
	assert_int_equal(fstatat(root, "x/y", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 02751);
	assert_int_equal(fstatat(root, "x", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
}

static void owner_is_given_to_new_ones(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	need("root", is_root_with_ids());
	fd = xb_mkdir_in_root(root, "x/y", 0700, 1234, 5678, NULL);
	assert_int_equal(fstat(fd, &st), 0);
	(void)close(fd);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 5678);
	assert_int_equal(fstatat(root, "x", &st, 0), 0);
	assert_int_equal(st.st_uid, 0);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);

	(void)state;
	for (int i = 0; i < 3000; i++)
		(void)xb_str_puts(&path, "d/");
	assert_int_equal(
		xb_mkdir_in_root(root, xb_str_text(&path), 0755, (uid_t)-1, (gid_t)-1, NULL),
		-ENAMETOOLONG);
}

static const struct opened {
	const char *path;
	const char *where;
	int in_root;
	int beneath;
} openeds[] = {
	{ "file", "file", 0, 0 },
	{ "/file", "file", 0, -EXDEV },
	{ "../../file", "file", 0, -EXDEV },
	{ "dir/../file", "file", 0, 0 },
	{ "outside", "canary", 0, -EXDEV },
	{ "absolute", "x", 0, -EXDEV },
	{ "dir/up", "x", 0, 0 },
	{ "climbing", NULL, -ENOENT, -EXDEV },
	{ "loop", NULL, -ELOOP, -ELOOP },
	{ "none", NULL, -ENOENT, -ENOENT },
	{ "file/x", NULL, -ENOTDIR, -ENOTDIR },
};

static void files_are_opened_inside(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(openeds); i++) {
		const struct opened *o = &openeds[i];
		xb_auto_fd int in = xb_open_in_root(root, o->path, O_RDONLY, 0, NULL);
		xb_auto_fd int beneath = xb_open_beneath(root, o->path, O_RDONLY, 0, NULL);

		print_message("%s\n", o->path);
		assert_int_equal(in < 0 ? in : 0, o->in_root);
		assert_int_equal(beneath < 0 ? beneath : 0, o->beneath);
		if (in >= 0) {
			assert_same(in, root, o->where);
			assert_true((fcntl(in, F_GETFD) & FD_CLOEXEC) != 0);
		}
		if (beneath >= 0)
			assert_same(beneath, root, o->where);
	}
}

static void magic_links_are_refused(void **state)
{
	xb_auto_fd int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(xb_open_in_root(self, "exe", O_RDONLY, 0, NULL), -ELOOP);
	assert_int_equal(xb_open_in_root(self, "root/etc", O_RDONLY, 0, NULL), -ELOOP);
	assert_int_equal(xb_open_beneath(self, "cwd", O_RDONLY, 0, &err), -ELOOP);
	assert_non_null(strstr(err.message, "cwd"));
}

static void a_file_is_created_with_its_mode(void **state)
{
	mode_t mask = umask(0);
	xb_auto_fd int fd =
		xb_open_in_root(root, "/absolute/new", O_WRONLY | O_CREAT | O_EXCL, 0640, NULL);
	struct stat st;

	(void)state;
	(void)umask(mask);
	assert_true(fd >= 0);
	assert_int_equal(fstatat(root, "x/new", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(xb_open_in_root(root, "x/new", O_WRONLY | O_CREAT | O_EXCL, 0640, NULL),
			 -EEXIST);
}

static atomic_bool stop_swapping;

/* Make "s" a directory and a link to the outside in turn. */
static void *swap(void *unused)
{
	while (!atomic_load(&stop_swapping)) {
		(void)renameat(root, "s", root, "s-dir");
		if (symlinkat("../outside-dir", root, "s") == 0)
			(void)unlinkat(root, "s", 0);
		if (symlinkat("/../../outside-dir", root, "s") == 0)
			(void)unlinkat(root, "s", 0);
		(void)renameat(root, "s-dir", root, "s");
	}
	return unused;
}

static void nothing_gets_out_while_others_swap_directories_for_links(void **state)
{
	pthread_t thread;
	size_t made = 0;

	(void)state;
	assert_int_equal(mkdir(scratch_path("outside-dir"), 0755), 0);
	assert_int_equal(mkdirat(root, "s", 0755), 0);
	atomic_store(&stop_swapping, false);
	assert_int_equal(pthread_create(&thread, NULL, swap, NULL), 0);
	for (int i = 0; i < 1000; i++) {
		char path[32];
		int fd;

		(void)snprintf(path, sizeof(path), "s/%d/d", i);
		fd = xb_mkdir_in_root(root, path, 0755, (uid_t)-1, (gid_t)-1, NULL);
		made += fd >= 0;
		if (fd >= 0)
			(void)close(fd);
	}
	atomic_store(&stop_swapping, true);
	(void)pthread_join(thread, NULL);
	assert_true(made > 0);
	/* Still empty. */
	assert_int_equal(rmdir(scratch_path("outside-dir")), 0);
}

static void directories_of_our_own_are_made(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(xb_mkdir_all(scratch_path("own/a/b"), 0700, NULL), 0);
	assert_int_equal(xb_mkdir_all(scratch_path("own//a/b/"), 0755, NULL), 0);
	assert_int_equal(stat(scratch_path("own/a/b"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	/* Our own paths are the user's: a link that leads nowhere is a mistake. */
	assert_int_equal(xb_mkdir_all(scratch_path("root/dangling/n"), 0700, NULL), -EEXIST);
	assert_int_equal(symlink("own", scratch_path("link")), 0);
	assert_int_equal(xb_mkdir_all(scratch_path("link/c"), 0700, NULL), 0);
	assert_int_equal(xb_mkdir_all(scratch_path("canary"), 0700, NULL), -ENOTDIR);
	assert_int_equal(xb_mkdir_all(scratch_path("canary/n"), 0700, NULL), -ENOTDIR);
	assert_int_equal(xb_mkdir_all("/", 0700, NULL), 0);
	assert_int_equal(xb_mkdir_all(".", 0700, NULL), 0);
	assert_int_equal(xb_mkdir_all("", 0700, NULL), -ENOENT);
}

#define in_root(test) cmocka_unit_test_setup_teardown((test), setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_root(directories_are_made_where_links_lead_inside),
		in_root(mode_is_exact_and_only_of_new_ones),
		in_root(owner_is_given_to_new_ones),
		in_root(a_path_that_is_too_long_is_refused),
		in_root(files_are_opened_inside),
		in_root(magic_links_are_refused),
		in_root(a_file_is_created_with_its_mode),
		in_root(nothing_gets_out_while_others_swap_directories_for_links),
		in_root(directories_of_our_own_are_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
