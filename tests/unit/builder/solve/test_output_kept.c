/* SPDX-License-Identifier: Apache-2.0 */
/* Archives that need not be written again, and all that makes them be written. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "builder/solve/output_file.h"
#include "builder/solve/output_kept.h"

static char scratch[] = "/tmp/xb-kept-XXXXXX";
static struct xb_digest content;
static int memory = -1;

#define DEST "out.tar"

static int set_up(void **state)
{
	(void)state;
	content = xb_digest_of("content", 7);
	if (mkdtemp(scratch) == NULL || chdir(scratch) < 0 || mkdir("memory", 0700) < 0)
		return -1;
	memory = open("memory", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return memory < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	xb_cleanup_fd(&memory);
	return chdir("/") < 0 ? -1 : xb_remove_tree_at(AT_FDCWD, scratch, NULL);
}

/* As an output is written. */
static void write_it(const char *dest)
{
	xb_auto_output_file struct xb_output_file file = XB_OUTPUT_FILE_INIT;

	assert_int_equal(xb_output_file_open(&file, dest, NULL, NULL), 0);
	assert_int_equal(xb_write_all(file.fd, "0123456789", 10, NULL), 0);
	assert_int_equal(xb_output_file_done(&file, NULL), 0);
	xb_output_remember(memory, dest, file.fd, &content);
}

static bool kept(void)
{
	return xb_output_kept(memory, DEST, &content);
}

static void test_kept(void **state)
{
	struct stat before, after;

	(void)state;
	write_it(DEST);
	assert_int_equal(stat(DEST, &before), 0);
	for (int i = 0; i < 3; i++) {
		/* longer than the times of files may lag behind */
		(void)usleep(30000);
		assert_true(kept());
		assert_int_equal(stat(DEST, &after), 0);
		assert_int_equal(after.st_ino, before.st_ino);
		/* as if it had been written */
		assert_true(after.st_mtim.tv_sec > before.st_mtim.tv_sec ||
			    after.st_mtim.tv_nsec > before.st_mtim.tv_nsec);
		before = after;
	}
}

static void flip_a_byte(void)
{
	xb_auto_fd int fd = open(DEST, O_RDWR | O_CLOEXEC);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(pwrite(fd, "x", 1, 4), 1);
	/* what is set back is the time of the data alone */
	assert_int_equal(futimens(fd, (const struct timespec[]){ st.st_atim, st.st_mtim }), 0);
}

static void set_mode(void)
{
	assert_int_equal(chmod(DEST, 0600), 0);
	assert_int_equal(chmod(DEST, 0644), 0);
}

static void put_another(void)
{
	assert_int_equal(rename(DEST, "old"), 0);
	assert_int_equal(system("cp -p old " DEST), 0);
}

static void link_it(void)
{
	assert_int_equal(symlink("elsewhere", "link"), 0);
	assert_int_equal(rename(DEST, "elsewhere"), 0);
	assert_int_equal(rename("link", DEST), 0);
}

static void name_it_twice(void)
{
	(void)unlink("twice");
	assert_int_equal(link(DEST, "twice"), 0);
}

static void cut_memory(void)
{
	/* the only one there is */
	assert_int_equal(system("for f in memory/*; do truncate -s -1 $f; done"), 0);
}

static void forget(void)
{
	assert_int_equal(system("rm memory/*"), 0);
}

static void remove_it(void)
{
	assert_int_equal(unlink(DEST), 0);
}

static void test_changed(void **state)
{
	static void (*const changes[])(
		void) = { flip_a_byte,	 set_mode,   put_another, link_it,
			  name_it_twice, cut_memory, forget,	  remove_it };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(changes); i++) {
		(void)unlink(DEST);
		write_it(DEST);
		changes[i]();
		if (kept())
			fail_msg("change %zu was not seen", i);
	}
}

static void test_other_content(void **state)
{
	struct xb_digest other = xb_digest_of("other", 5);

	(void)state;
	(void)unlink(DEST);
	write_it(DEST);
	assert_false(xb_output_kept(memory, DEST, &other));
	assert_true(kept());
}

static void test_other_place(void **state)
{
	(void)state;
	(void)unlink(DEST);
	write_it(DEST);
	assert_int_equal(rename(DEST, "moved.tar"), 0);
	assert_false(xb_output_kept(memory, "moved.tar", &content));
	assert_false(kept());
}

/* Somebody who has it open may write at any moment. */
static void test_open_elsewhere(void **state)
{
	xb_auto_fd int fd = -1;

	(void)state;
	(void)unlink(DEST);
	write_it(DEST);
	fd = open(DEST, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_false(kept());
	xb_cleanup_fd(&fd);
	fd = -1;
	assert_true(kept());
}

/* A change right after the file got its name, within the same tick of the clock. */
static void test_racy(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		xb_auto_fd int fd = -1;

		write_it(DEST);
		fd = open(DEST, O_WRONLY | O_CLOEXEC);
		assert_int_equal(pwrite(fd, "y", 1, 4), 1);
		xb_cleanup_fd(&fd);
		fd = -1;
		assert_false(kept());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),	       cmocka_unit_test(test_changed),
		cmocka_unit_test(test_other_content),  cmocka_unit_test(test_other_place),
		cmocka_unit_test(test_open_elsewhere), cmocka_unit_test(test_racy),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
