/* SPDX-License-Identifier: Apache-2.0 */
/* Cleanup by scope, and the end of the process. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/die.h"
#include "base/file.h"
#include "base/proc.h"

static void a_descriptor_is_closed_and_errno_kept(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), number = fd;

	(void)state;
	assert_true(fd >= 0);
	errno = EXDEV;
	xb_cleanup_fd(&fd);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(fd, -1);
	assert_int_equal(fcntl(number, F_GETFD), -1);
	errno = EXDEV;
	xb_cleanup_fd(&fd);
	assert_int_equal(errno, EXDEV);
}

static int open_null(void)
{
	xb_auto_fd int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return XB_STEAL_FD(fd);
}

static void what_is_given_away_stays(void **state)
{
	xb_autofree char *text = strdup("text");
	xb_auto_fd int fd = open_null();
	char *moved = XB_STEAL(text);

	(void)state;
	assert_true(fcntl(fd, F_GETFD) >= 0);
	assert_null(text);
	assert_string_equal(moved, "text");
	free(moved);
}

static int frees;

static void count_free(int *p)
{
	(void)p;
	frees++;
}

XB_DEFINE_CLEANUP(counted_cleanup, int, count_free)

static void an_object_is_freed_once_and_null_never(void **state)
{
	(void)state;
	{
		int value = 0;
		XB_CLEANUP(counted_cleanup) int *owned = &value;
		XB_CLEANUP(counted_cleanup) int *none = NULL;

		assert_null(none);
		assert_non_null(owned);
	}
	assert_int_equal(frees, 1);
}

/* Internal faults have exit status 1 and one line. */
static void a_broken_invariant_ends_the_process(void **state)
{
	const char *const argv[] = { xb_proc_self_path(), "die", NULL };
	xb_auto_fd int out = xb_memfd_new("stderr", NULL);
	const struct xb_proc_fd fds[] = { { out, STDERR_FILENO } };
	struct xb_proc_spec spec = {
		.path = argv[0], .argv = (char *const *)(uintptr_t)argv, .fds = fds, .fd_count = 1
	};
	struct xb_proc p = XB_PROC_NONE;
	struct xb_proc_status status;
	xb_auto_str struct xb_str text = XB_STR_INIT(1000);

	(void)state;
	assert_int_equal(xb_proc_spawn(&spec, &p, NULL), 0);
	assert_int_equal(xb_proc_wait(&p, &status, NULL), 0);
	assert_int_equal(status.exit_code, 1);
	assert_int_equal(lseek(out, 0, SEEK_SET), 0);
	assert_int_equal(xb_file_read_fd(out, &text, NULL), 0);
	assert_string_equal(xb_str_text(&text), "xbuild: step 7 was never started\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_is_closed_and_errno_kept),
		cmocka_unit_test(what_is_given_away_stays),
		cmocka_unit_test(an_object_is_freed_once_and_null_never),
		cmocka_unit_test(a_broken_invariant_ends_the_process),
	};

	(void)argv;
	if (argc == 2)
		xb_die("step %d was never started", 7);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
