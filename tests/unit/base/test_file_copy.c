/* SPDX-License-Identifier: Apache-2.0 */
/* Copies: every byte, holes kept, whatever the two ends are. */
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
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

static int create(const char *name)
{
	int fd = openat(scratch_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void assert_same_content(int a, int b)
{
	struct stat sa, sb;
	off_t at = 0;

	assert_int_equal(fstat(a, &sa), 0);
	assert_int_equal(fstat(b, &sb), 0);
	assert_int_equal(sa.st_size, sb.st_size);
	while (at < sa.st_size) {
		static char da[1 << 16], db[1 << 16];
		ssize_t n = pread(a, da, sizeof(da), at);

		assert_true(n > 0);
		assert_int_equal(pread(b, db, sizeof(db), at), n);
		assert_memory_equal(da, db, (size_t)n);
		at += n;
	}
}

static void holes_stay_holes(void **state)
{
	xb_auto_fd int from = create("from");
	xb_auto_fd int to = create("to");
	struct stat st;

	(void)state;
	assert_int_equal(pwrite(from, "start", 5, 0), 5);
	assert_int_equal(pwrite(from, "middle", 6, 20 << 20), 6);
	assert_int_equal(ftruncate(from, 40 << 20), 0);
	assert_int_equal(xb_copy_data(from, to, 40 << 20, NULL), 0);
	assert_same_content(from, to);
	assert_int_equal(fstat(to, &st), 0);
	assert_true(st.st_blocks < (1 << 20) / 512);
	assert_int_equal(lseek(to, 0, SEEK_CUR), 40 << 20);
	assert_int_equal(lseek(from, 0, SEEK_CUR), 40 << 20);
}

static void a_file_of_one_hole_is_copied(void **state)
{
	xb_auto_fd int from = create("from");
	xb_auto_fd int to = create("to");

	(void)state;
	assert_int_equal(ftruncate(from, (off_t)1 << 40), 0);
	assert_int_equal(xb_copy_data(from, to, XB_COPY_TO_END, NULL), 0);
	assert_int_equal(lseek(to, 0, SEEK_END), (off_t)1 << 40);
}

static void a_part_is_copied_from_where_we_are(void **state)
{
	xb_auto_fd int from = create("from");
	xb_auto_fd int to = create("to");
	char text[16] = "";

	(void)state;
	assert_int_equal(write(from, "0123456789", 10), 10);
	assert_int_equal(write(to, "ab", 2), 2);
	assert_int_equal(lseek(from, 3, SEEK_SET), 3);
	assert_int_equal(xb_copy_data(from, to, 4, NULL), 0);
	assert_int_equal(lseek(from, 0, SEEK_CUR), 7);
	assert_int_equal(xb_copy_data(from, to, 0, NULL), 0);
	assert_int_equal(xb_copy_data(from, to, XB_COPY_TO_END, NULL), 0);
	assert_int_equal(pread(to, text, sizeof(text), 0), 9);
	assert_string_equal(text, "ab3456789");
}

/* Holes must not let old bytes shine through. */
static void a_longer_target_is_overwritten_in_place(void **state)
{
	xb_auto_fd int from = create("from");
	xb_auto_fd int to = create("to");
	char *old = xb_alloc(1 << 20);
	char byte = 'x';

	(void)state;
	memset(old, 'o', 1 << 20);
	assert_int_equal(write(to, old, 1 << 20), 1 << 20);
	free(old);
	assert_int_equal(lseek(to, 0, SEEK_SET), 0);
	assert_int_equal(ftruncate(from, 512 << 10), 0);
	assert_int_equal(xb_copy_data(from, to, 512 << 10, NULL), 0);
	assert_int_equal(pread(to, &byte, 1, 1000), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(pread(to, &byte, 1, (512 << 10) + 1), 1);
	assert_int_equal(byte, 'o');
	assert_int_equal(lseek(to, 0, SEEK_END), 1 << 20);
}

static void a_file_that_ends_early_is_an_error(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int from = create("from");
	xb_auto_fd int to = create("to");

	(void)state;
	assert_int_equal(write(from, "0123456789", 10), 10);
	assert_int_equal(lseek(from, 0, SEEK_SET), 0);
	assert_int_equal(xb_copy_data(from, to, 11, &err), -EIO);
	assert_string_equal(err.message, "the file ended 1 bytes early");
}

static void files_without_a_size_are_copied(void **state)
{
	xb_auto_fd int from = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	xb_auto_fd int to = create("to");
	char text[6] = "";

	(void)state;
	assert_int_equal(xb_copy_data(from, to, XB_COPY_TO_END, NULL), 0);
	assert_int_equal(pread(to, text, 5, 0), 5);
	assert_string_equal(text, "Name:");
}

static void pipes_are_copied(void **state)
{
	xb_auto_fd int from = create("from");
	xb_auto_fd int to = create("to");
	char text[16] = "";
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(from, "through", 7), 7);
	assert_int_equal(lseek(from, 0, SEEK_SET), 0);
	assert_int_equal(xb_copy_data(from, ends[1], 7, NULL), 0);
	(void)close(ends[1]);
	assert_int_equal(xb_copy_data(ends[0], to, XB_COPY_TO_END, NULL), 0);
	(void)close(ends[0]);
	assert_int_equal(pread(to, text, sizeof(text), 0), 7);
	assert_string_equal(text, "through");
}

static void appending_works(void **state)
{
	xb_auto_fd int from = create("from");
	xb_auto_fd int to = -1;
	char text[16] = "";

	(void)state;
	scratch_write("to", "head ");
	to = openat(scratch_fd, "to", O_RDWR | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(from, "tail", 4), 4);
	assert_int_equal(lseek(from, 0, SEEK_SET), 0);
	assert_int_equal(xb_copy_data(from, to, XB_COPY_TO_END, NULL), 0);
	assert_int_equal(pread(to, text, sizeof(text), 0), 9);
	assert_string_equal(text, "head tail");
}

/* Between two file systems, by hand if the kernel does not. */
static void other_file_systems_are_reached(void **state)
{
	xb_auto_fd int from = create("from");
	xb_auto_fd int to = xb_memfd_new("to", NULL);
	char *data = xb_alloc(1 << 20);

	(void)state;
	for (size_t i = 0; i < 1 << 20; i++)
		data[i] = (char)(i * 7 % 253);
	assert_int_equal(xb_write_all(from, data, 1 << 20, NULL), 0);
	free(data);
	assert_int_equal(lseek(from, 0, SEEK_SET), 0);
	assert_int_equal(xb_copy_data(from, to, 1 << 20, NULL), 0);
	assert_same_content(from, to);
}

#define in_scratch(test) cmocka_unit_test_setup_teardown((test), scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_scratch(holes_stay_holes),
		in_scratch(a_file_of_one_hole_is_copied),
		in_scratch(a_part_is_copied_from_where_we_are),
		in_scratch(a_longer_target_is_overwritten_in_place),
		in_scratch(a_file_that_ends_early_is_an_error),
		in_scratch(files_without_a_size_are_copied),
		in_scratch(pipes_are_copied),
		in_scratch(appending_works),
		in_scratch(other_file_systems_are_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
