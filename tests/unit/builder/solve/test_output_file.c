/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the user's that are whole or not there, on every file system; pipes wait, but not for
 * ever. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>

#include "base/file.h"
#include "builder/solve/output_file.h"
#include "tests/unit/fault.h"
#include "tests/unit/scratch.h"

/* ---- pipes -------------------------------------------------------------------------------- */

/* Sets a flag a little later, or opens a pipe a little later and reads all of it. */
struct other {
	pthread_t thread;
	atomic_bool flag;
	char path[4096];
	char text[16];
};

static void later(void)
{
	(void)poll(NULL, 0, 100);
}

static void *cancel(void *context)
{
	struct other *other = context;

	later();
	atomic_store(&other->flag, true);
	return NULL;
}

static void *read_pipe(void *context)
{
	struct other *other = context;
	xb_auto_fd int fd = -1;

	later();
	fd = open(other->path, O_RDONLY | O_CLOEXEC);
	(void)xb_read_full(fd, other->text, sizeof(other->text) - 1, NULL);
	return NULL;
}

static void begin(struct other *other, void *(*run)(void *))
{
	*other = (struct other){ .flag = false };
	(void)snprintf(other->path, sizeof(other->path), "%s", scratch_path("pipe"));
	assert_int_equal(mkfifo(other->path, 0600), 0);
	assert_int_equal(pthread_create(&other->thread, NULL, run, other), 0);
}

static void test_no_reader(void **state)
{
	xb_auto_output_file struct xb_output_file file = XB_OUTPUT_FILE_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct other other;

	(void)state;
	begin(&other, cancel);
	assert_int_equal(xb_output_file_open(&file, other.path, &other.flag, &err), -ECANCELED);
	assert_int_equal(err.fault, XB_FAULT_INTERRUPTED);
	assert_non_null(strstr(err.message, "waiting for a reader of /"));
	assert_int_equal(file.fd, -1);
	(void)pthread_join(other.thread, NULL);
}

/* What is written afterwards waits for the reader by itself. */
static void test_late_reader(void **state)
{
	xb_auto_output_file struct xb_output_file file = XB_OUTPUT_FILE_INIT;
	struct other other;

	(void)state;
	begin(&other, read_pipe);
	assert_int_equal(xb_output_file_open(&file, other.path, &other.flag, NULL), 0);
	assert_int_equal(fcntl(file.fd, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(xb_write_all(file.fd, "text", 4, NULL), 0);
	assert_int_equal(xb_output_file_done(&file, NULL), 0);
	xb_cleanup_fd(&file.fd);
	file.fd = -1;
	(void)pthread_join(other.thread, NULL);
	assert_string_equal(other.text, "text");
}

/* A socket has no readers to wait for, and a directory is no file. */
static void test_others(void **state)
{
	xb_auto_output_file struct xb_output_file file = XB_OUTPUT_FILE_INIT;

	(void)state;
	assert_int_equal(mknod(scratch_path("socket"), S_IFSOCK | 0600, 0), 0);
	assert_int_equal(xb_output_file_open(&file, scratch_path("socket"), NULL, NULL), -ENXIO);
	assert_int_equal(xb_output_file_open(&file, scratch, NULL, NULL), -EISDIR);
}

/* ---- file systems that know no files without names ---------------------------------------- */

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

static int begin_file(void *context)
{
	return xb_output_file_open(context, scratch_path("out"), NULL, NULL);
}

/* What is written has a name beside the file's, until it is done or given up. */
static void write_with(const struct fault *fault, const char *text)
{
	xb_auto_output_file struct xb_output_file file = XB_OUTPUT_FILE_INIT;
	size_t before = count_entries();

	assert_int_equal(with_fault(fault, begin_file, &file), 0);
	assert_int_equal(count_entries(), before + 1);
	assert_int_equal(xb_write_all(file.fd, text, strlen(text), NULL), 0);
	if (text[0] != '\0')
		assert_int_equal(xb_output_file_done(&file, NULL), 0);
}

static void test_no_unnamed_files(void **state)
{
	static const int words[] = { EOPNOTSUPP, EISDIR, EINVAL };
	struct fault none = { SYS_openat, 2, O_TMPFILE & ~O_DIRECTORY, 0 };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(words); i++) {
		xb_auto_str struct xb_str text = XB_STR_INIT(16);

		none.error = words[i];
		write_with(&none, "first");
		assert_int_equal(count_entries(), 1);
		write_with(&none, "second");
		write_with(&none, "");
		assert_int_equal(count_entries(), 1);
		assert_int_equal(xb_file_read(scratch_path("out"), &text, NULL), 0);
		assert_string_equal(xb_str_text(&text), "second");
		assert_int_equal(unlink(scratch_path("out")), 0);
	}
}

/* Other errors are the caller's to know. */
static void test_not_made(void **state)
{
	const struct fault full = { SYS_openat, 2, O_TMPFILE & ~O_DIRECTORY, ENOSPC };
	xb_auto_output_file struct xb_output_file file = XB_OUTPUT_FILE_INIT;

	(void)state;
	assert_int_equal(with_fault(&full, begin_file, &file), -ENOSPC);
	assert_int_equal(count_entries(), 0);
}

#define scratch_test(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_no_reader), scratch_test(test_late_reader),
		scratch_test(test_others),    scratch_test(test_no_unnamed_files),
		scratch_test(test_not_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
