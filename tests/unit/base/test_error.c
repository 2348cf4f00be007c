/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: the sentence that a user reads, its fault and its hint. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void a_sentence_reads_from_the_outside_in(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int r;

	(void)state;
	r = xb_error_errno(&err, -ENOENT, "opening %s", "Dockerfile");
	r = xb_error_wrap(&err, r, "reading %s", "Dockerfile");
	r = xb_error_wrap(&err, r, "building stage %d", 2);
	assert_int_equal(r, -ENOENT);
	assert_int_equal(err.code, -ENOENT);
	assert_string_equal(err.message,
			    "building stage 2: reading Dockerfile: opening Dockerfile: "
			    "No such file or directory");
}

static void a_sentence_may_stand_without_the_errno(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(xb_error_set(&err, -EINVAL, "unknown instruction %s", "FORM"), -EINVAL);
	assert_string_equal(err.message, "unknown instruction FORM");
}

static void the_innermost_fault_and_hint_win(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	(void)xb_error_set(&err, -ENOSPC, "writing a blob");
	assert_int_equal(xb_error_fault(&err, XB_FAULT_STORE), -ENOSPC);
	assert_int_equal(xb_error_hint(&err, "prune the %s", "store"), -ENOSPC);
	(void)xb_error_wrap(&err, -ENOSPC, "pulling");
	(void)xb_error_fault(&err, XB_FAULT_REGISTRY);
	(void)xb_error_hint(&err, "log in");
	assert_int_equal(err.fault, XB_FAULT_STORE);
	assert_string_equal(err.hint, "prune the store");
}

static void a_new_error_forgets_the_old_one(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	(void)xb_error_set(&err, -EIO, "first");
	(void)xb_error_hint(&err, "hint");
	(void)xb_error_excerpt(&err, "line");
	(void)xb_error_set(&err, -EPERM, "second");
	assert_string_equal(err.message, "second");
	assert_null(err.hint);
	assert_null(err.excerpt);
	assert_int_equal(err.fault, XB_FAULT_NONE);
}

static void a_silent_callee_is_named_by_its_errno(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(xb_error_wrap(&err, -EACCES, "reading"), -EACCES);
	assert_string_equal(err.message, "reading: Permission denied");
}

static void the_last_excerpt_stays(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	(void)xb_error_set(&err, -EINVAL, "bad");
	assert_int_equal(xb_error_excerpt(&err, "one"), -EINVAL);
	assert_int_equal(xb_error_excerpt(&err, "2 | FROM"), -EINVAL);
	assert_string_equal(err.excerpt, "2 | FROM");
}

/* A caller that wants no sentence must not see a failure become a success. */
static void without_an_error_the_code_still_comes_through(void **state)
{
	(void)state;
	assert_int_equal(xb_error_set(NULL, -ENOENT, "x"), -ENOENT);
	assert_int_equal(xb_error_fault(NULL, XB_FAULT_STORE), -ENOENT);
	assert_int_equal(xb_error_hint(NULL, "x"), -ENOENT);
	assert_int_equal(xb_error_excerpt(NULL, "x"), -ENOENT);
	assert_int_equal(xb_error_errno(NULL, -EIO, "x"), -EIO);
	assert_int_equal(xb_error_wrap(NULL, -EIO, "x"), -EIO);
	assert_int_equal(xb_error_fault(NULL, XB_FAULT_STORE), -EIO);
	xb_error_clear(NULL);
}

static void an_error_moves(void **state)
{
	xb_auto_error struct xb_error to = XB_ERROR_INIT;
	struct xb_error from = XB_ERROR_INIT;

	(void)state;
	(void)xb_error_set(&from, -EIO, "of a worker");
	xb_error_move(&to, &from);
	assert_string_equal(to.message, "of a worker");
	assert_null(from.message);
	assert_int_equal(from.code, 0);
	(void)xb_error_set(&from, -EIO, "nobody wants it");
	xb_error_move(NULL, &from);
	assert_null(from.message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sentence_reads_from_the_outside_in),
		cmocka_unit_test(a_sentence_may_stand_without_the_errno),
		cmocka_unit_test(the_innermost_fault_and_hint_win),
		cmocka_unit_test(a_new_error_forgets_the_old_one),
		cmocka_unit_test(a_silent_callee_is_named_by_its_errno),
		cmocka_unit_test(the_last_excerpt_stays),
		cmocka_unit_test(without_an_error_the_code_still_comes_through),
		cmocka_unit_test(an_error_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
