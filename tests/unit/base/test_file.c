/* SPDX-License-Identifier: Apache-2.0 */
/* Files: whole reads and writes, replacement, files in memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/unit/fault.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

static size_t count_entries(void)
{
	DIR *dir = opendir(scratch);
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	(void)closedir(dir);
	return count - 2;
}

static void assert_file(const char *name, const char *text)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(XB_STR_OWN);

	assert_int_equal(xb_file_read_at(scratch_fd, name, &s, NULL), 0);
	assert_string_equal(xb_str_text(&s), text);
}

static void a_file_is_read_whole_and_appended(void **state)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(100);

	(void)state;
	scratch_write("f", "FROM scratch\n");
	(void)xb_str_puts(&s, "# ");
	assert_int_equal(xb_file_read(scratch_path("f"), &s, NULL), 0);
	assert_string_equal(xb_str_text(&s), "# FROM scratch\n");
}

static void a_large_file_is_read_whole(void **state)
{
	enum { LEN = 300000 };
	xb_auto_str struct xb_str s = XB_STR_INIT(LEN);
	xb_auto_fd int fd = open(scratch_path("f"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char *data = xb_calloc(LEN, 1);

	(void)state;
	for (size_t i = 0; i < LEN; i++)
		data[i] = (char)(i % 251);
	assert_int_equal(xb_write_all(fd, data, LEN, NULL), 0);
	assert_int_equal(xb_file_read(scratch_path("f"), &s, NULL), 0);
	assert_int_equal(s.len, LEN);
	assert_memory_equal(s.data, data, LEN);
	free(data);
}

static void a_file_above_the_bound_is_refused(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_str struct xb_str s = XB_STR_INIT(5);

	(void)state;
	scratch_write("f", "123456");
	assert_int_equal(xb_file_read(scratch_path("f"), &s, &err), -EFBIG);
	assert_int_equal(s.len, 0);
	assert_non_null(strstr(err.message, "larger than 5 bytes"));
	scratch_write("f", "12345");
	assert_int_equal(xb_file_read(scratch_path("f"), &s, NULL), 0);
}

static void endless_files_end_at_the_bound(void **state)
{
	xb_auto_fd int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	xb_auto_str struct xb_str s = XB_STR_INIT(1 << 20);

	(void)state;
	assert_int_equal(xb_file_read_fd(fd, &s, NULL), -EFBIG);
}

static void what_is_no_regular_file_never_blocks(void **state)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(100);

	(void)state;
	assert_int_equal(mkfifo(scratch_path("fifo"), 0600), 0);
	(void)alarm(120);
	assert_int_equal(xb_file_read(scratch_path("fifo"), &s, NULL), -EINVAL);
	assert_int_equal(xb_file_read_at(scratch_fd, "fifo", &s, NULL), -EINVAL);
	(void)alarm(0);
	assert_int_equal(xb_file_read(scratch, &s, NULL), -EINVAL);
	assert_int_equal(xb_file_read("/dev/null", &s, NULL), -EINVAL);
	assert_int_equal(xb_file_read(scratch_path("none"), &s, NULL), -ENOENT);
}

static void a_link_is_followed_by_path_only(void **state)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(100);

	(void)state;
	scratch_write("f", "text");
	assert_int_equal(symlink("f", scratch_path("link")), 0);
	assert_int_equal(xb_file_read_at(scratch_fd, "link", &s, NULL), -ELOOP);
	assert_int_equal(xb_file_read(scratch_path("link"), &s, NULL), 0);
}

static void short_reads_are_put_together(void **state)
{
	char data[10];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(xb_write_all(ends[1], "abc", 3, NULL), 0);
	assert_int_equal(xb_write_all(ends[1], "def", 3, NULL), 0);
	(void)close(ends[1]);
	assert_int_equal(xb_read_full(ends[0], data, 4, NULL), 4);
	assert_memory_equal(data, "abcd", 4);
	assert_int_equal(xb_read_full(ends[0], data, 10, NULL), 2);
	assert_int_equal(xb_read_full(ends[0], data, 10, NULL), 0);
	(void)close(ends[0]);
	assert_int_equal(xb_read_full(ends[0], data, 10, NULL), -EBADF);
	assert_int_equal(xb_write_all(ends[0], data, 10, NULL), -EBADF);
}

static void a_file_is_replaced_whole_and_private(void **state)
{
	mode_t mask = umask(0);
	struct stat st;

	(void)state;
	scratch_write("f", "old and long");
	assert_int_equal(xb_file_replace_at(scratch_fd, "f", "new", 3, true, NULL), 0);
	assert_file("f", "new");
	assert_int_equal(fstatat(scratch_fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(xb_file_replace_at(scratch_fd, "g", "", 0, false, NULL), 0);
	assert_file("g", "");
	assert_int_equal(mkdir(scratch_path("d"), 0700), 0);
	assert_int_equal(xb_file_replace_at(scratch_fd, "d/f", "in d", 4, true, NULL), 0);
	assert_file("d/f", "in d");
	assert_int_equal(count_entries(), 3);
	(void)umask(mask);
}

static void a_replacement_that_fails_leaves_nothing_behind(void **state)
{
	(void)state;
	assert_int_equal(mkdir(scratch_path("d"), 0700), 0);
	assert_int_equal(xb_file_replace_at(scratch_fd, "d", "x", 1, true, NULL), -EISDIR);
	assert_int_equal(xb_file_replace_at(scratch_fd, "none/f", "x", 1, true, NULL), -ENOENT);
	assert_int_equal(count_entries(), 1);
}

static void a_link_is_replaced_not_followed(void **state)
{
	(void)state;
	scratch_write("target", "kept");
	assert_int_equal(symlink("target", scratch_path("f")), 0);
	assert_int_equal(xb_file_replace_at(scratch_fd, "f", "new", 3, false, NULL), 0);
	assert_file("target", "kept");
	assert_file("f", "new");
}

static void a_sealed_file_never_changes(void **state)
{
	xb_auto_fd int fd = xb_memfd_new("test", NULL);
	char text[4] = "";

	(void)state;
	assert_true(fd >= 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(xb_write_all(fd, "data", 4, NULL), 0);
	assert_int_equal(xb_memfd_seal(fd, NULL), 0);
	assert_int_equal(xb_read_full(fd, text, 4, NULL), 4);
	assert_memory_equal(text, "data", 4);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 100), -1);
	assert_ptr_equal(mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
}

static void assert_unnamed(int fd)
{
	char text[4];

	assert_true(fd >= 0);
	assert_int_equal(xb_write_all(fd, "data", 4, NULL), 0);
	assert_int_equal(pread(fd, text, sizeof(text), 0), 4);
	assert_memory_equal(text, "data", 4);
	assert_int_equal(count_entries(), 0);
}

static void a_file_without_a_name_is_written_and_read(void **state)
{
	xb_auto_fd int fd = xb_file_unnamed(scratch_fd, NULL);

	(void)state;
	assert_unnamed(fd);
	assert_int_equal(xb_file_unnamed(-1, NULL), -EBADF);
}

static int make_unnamed(void *context)
{
	(void)context;
	return xb_file_unnamed(scratch_fd, NULL);
}

/* Some network file systems know none, in words of their own; no room is no reason. */
static void where_there_are_none_a_file_loses_its_name(void **state)
{
	static const int words[] = { EOPNOTSUPP, EISDIR, EINVAL };
	struct fault none = { SYS_openat, 2, O_TMPFILE & ~O_DIRECTORY, ENOSPC };

	(void)state;
	assert_int_equal(with_fault(&none, make_unnamed, NULL), -ENOSPC);
	for (size_t i = 0; i < XB_COUNT(words); i++) {
		xb_auto_fd int fd = -1;

		none.error = words[i];
		fd = with_fault(&none, make_unnamed, NULL);
		assert_unnamed(fd);
	}
}

static int write_half(void *context, int fd, struct xb_error *err)
{
	(void)context;
	assert_int_equal(xb_write_all(fd, "half", 4, NULL), 0);
	return xb_error_set(err, -EIO, "no more");
}

static void what_was_not_written_whole_replaces_nothing(void **state)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(100);

	(void)state;
	assert_int_equal(xb_file_replace_at(scratch_fd, "file", "old", 3, false, NULL), 0);
	assert_int_equal(xb_file_write_at(scratch_fd, "file", write_half, NULL, false, NULL), -EIO);
	assert_int_equal(xb_file_read_at(scratch_fd, "file", &text, NULL), 0);
	assert_string_equal(xb_str_text(&text), "old");
	assert_int_equal(scratch_run((const char *[]){
				 "sh", "-c", "test \"$(ls -A \"$0\")\" = file", scratch, NULL }),
			 0);
}

#define in_scratch(test) cmocka_unit_test_setup_teardown((test), scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_scratch(a_file_is_read_whole_and_appended),
		in_scratch(a_large_file_is_read_whole),
		in_scratch(a_file_above_the_bound_is_refused),
		in_scratch(endless_files_end_at_the_bound),
		in_scratch(what_is_no_regular_file_never_blocks),
		in_scratch(a_link_is_followed_by_path_only),
		in_scratch(short_reads_are_put_together),
		in_scratch(a_file_is_replaced_whole_and_private),
		in_scratch(a_replacement_that_fails_leaves_nothing_behind),
		in_scratch(a_link_is_replaced_not_followed),
		in_scratch(a_sealed_file_never_changes),
		in_scratch(a_file_without_a_name_is_written_and_read),
		in_scratch(where_there_are_none_a_file_loses_its_name),
		in_scratch(what_was_not_written_whole_replaces_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
