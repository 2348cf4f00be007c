/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as people see them, and the exit status that scripts see. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/cli/report.h"
#include "tests/unit/builder/cli/capture.h"

static void reports(const struct xb_error *err, const char *expected)
{
	xb_autofree char *text = NULL;

	capture_begin();
	xb_report_error(err);
	text = capture_end();
	assert_string_equal(text, expected);
}

static void test_parts(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	(void)xb_error_set(&err, -EINVAL, "Dockerfile:2:5: no");
	reports(&err, "xbuild: error: Dockerfile:2:5: no\n");
	(void)xb_error_excerpt(&err, "    2 | RUN\n      |     ^");
	(void)xb_error_hint(&err, "say yes");
	reports(&err, "xbuild: error: Dockerfile:2:5: no\n"
		      "      2 | RUN\n"
		      "        |     ^\n"
		      "hint: say yes\n");
}

static void test_nothing_known(void **state)
{
	struct xb_error err = XB_ERROR_INIT;

	(void)state;
	reports(&err, "xbuild: error: unknown error\n");
}

/* Text from elsewhere moves no cursor and forges no line. */
static void test_control_characters(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	(void)xb_error_set(&err, -EINVAL,
			   "file \x1b[2J\r\a\x9b"
			   "1m\xc2\x9b é");
	(void)xb_error_excerpt(&err, "a\x1b]0;x\x07\nb\x7f\x08");
	(void)xb_error_hint(&err, "\x1b[8m");
	reports(&err, "xbuild: error: file \\x1b[2J\\x0d\\x07\\x9b1m\\xc2\\x9b é\n"
		      "  a\\x1b]0;x\\x07\n"
		      "  b\\x7f\\x08\n"
		      "hint: \\x1b[8m\n");
}

static void test_warning(void **state)
{
	xb_autofree char *text = NULL;

	(void)state;
	capture_begin();
	xb_report_warning("careful\x1b");
	text = capture_end();
	assert_string_equal(text, "xbuild: warning: careful\\x1b\n");
}

static void test_status(void **state)
{
	static const struct {
		enum xb_fault fault;
		int status;
	} cases[] = {
		{ XB_FAULT_NONE, 1 },	       { XB_FAULT_INTERNAL, 1 }, { XB_FAULT_USAGE, 2 },
		{ XB_FAULT_SOURCE, 3 },	       { XB_FAULT_STEP, 4 },	 { XB_FAULT_PLATFORM, 5 },
		{ XB_FAULT_REGISTRY, 6 },      { XB_FAULT_PROOF, 7 },	 { XB_FAULT_STORE, 8 },
		{ XB_FAULT_INTERRUPTED, 130 },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		struct xb_error err = { .fault = cases[i].fault };

		assert_int_equal(xb_report_status(&err), cases[i].status);
	}
}

/* A file that cannot be opened because there is no descriptor left is not a bad file. */
static void test_machine_status(void **state)
{
	static const int codes[] = { -EMFILE, -ENFILE, -ENOMEM };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(codes); i++) {
		struct xb_error err = { .code = codes[i], .fault = XB_FAULT_SOURCE };

		assert_int_equal(xb_report_status(&err), 1);
		err.fault = XB_FAULT_USAGE;
		assert_int_equal(xb_report_status(&err), 1);
		err.fault = XB_FAULT_STORE;
		assert_int_equal(xb_report_status(&err), 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_nothing_known),
		cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_warning),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_machine_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
