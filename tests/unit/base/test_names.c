/* SPDX-License-Identifier: Apache-2.0 */
/* The names in a directory: all of them, in byte order, with what they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/names.h"
#include "base/str.h"
#include "tests/unit/scratch.h"

#define scratch_test(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

static void names_are_in_byte_order(void **state)
{
	static const char *const made[] = {
		"b", "a.d", "a", "\xc3\xa9", "B", ".hidden", "a0", " "
	};
	static const char *const order[] = { " ",  ".hidden", "B", "a",	      "a.d",
					     "a0", "b",	      "d", "\xc3\xa9" };
	xb_auto_names struct xb_names names = { 0 };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(made); i++)
		scratch_write(made[i], "");
	assert_int_equal(mkdirat(scratch_fd, "d", 0700), 0);
	assert_int_equal(xb_names_of(scratch_fd, SIZE_MAX, &names), 0);
	assert_int_equal(names.len, XB_COUNT(order));
	for (size_t i = 0; i < names.len; i++) {
		assert_string_equal(names.items[i], order[i]);
		assert_int_equal(xb_names_is_dir(&names, i), strcmp(order[i], "d") == 0);
	}
}

static void an_empty_directory_has_none(void **state)
{
	xb_auto_names struct xb_names names = { 0 };

	(void)state;
	assert_int_equal(xb_names_of(scratch_fd, 0, &names), 0);
	assert_int_equal(names.len, 0);
}

static void more_than_wanted_is_an_error(void **state)
{
	xb_auto_names struct xb_names names = { 0 };
	xb_auto_names struct xb_names again = { 0 };

	(void)state;
	scratch_write("a", "");
	scratch_write("b", "");
	assert_int_equal(xb_names_of(scratch_fd, 1, &names), -E2BIG);
	assert_int_equal(xb_names_of(scratch_fd, 2, &again), 0);
	assert_int_equal(again.len, 2);
}

static void a_file_has_no_names(void **state)
{
	xb_auto_names struct xb_names names = { 0 };
	xb_auto_fd int fd = -1;

	(void)state;
	scratch_write("a", "");
	fd = openat(scratch_fd, "a", O_RDONLY | O_CLOEXEC);
	assert_int_equal(xb_names_of(fd, SIZE_MAX, &names), -ENOTDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(names_are_in_byte_order),
		scratch_test(an_empty_directory_has_none),
		scratch_test(more_than_wanted_is_an_error),
		scratch_test(a_file_has_no_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
