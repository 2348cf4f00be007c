/* SPDX-License-Identifier: Apache-2.0 */
/* Symbolic modes as chmod has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mode.h"
#include "base/str.h"

static void test_changes(void **state)
{
	static const struct {
		const char *text;
		mode_t before;
		bool is_dir;
		mode_t after;
	} examples[] = {
		{ "u+x", 0644, false, 0744 },
		{ "+x", 0644, false, 0755 },
		{ "a+x", 0644, false, 0755 },
		{ "ugo-r", 0644, false, 0200 },
		{ "go=", 0777, false, 0700 },
		{ "go=rX", 0600, false, 0644 },
		{ "go=rX", 0700, false, 0755 },
		{ "go=rX", 0600, true, 0655 },
		{ "a+X", 0644, false, 0644 },
		{ "a+X", 0644, true, 0755 },
		{ "-X", 0755, false, 0644 },
		{ "u=rwx,go=rx", 0, false, 0755 },
		{ "u=rw,g=u-w,o=", 0777, false, 0640 },
		{ "g=u", 0741, false, 0771 },
		{ "o=g", 0750, false, 0755 },
		{ "a=u", 0640, false, 0666 },
		{ "u-w+x", 0644, false, 0544 },
		{ "u+s", 0755, false, 04755 },
		{ "g+s", 0755, true, 02755 },
		{ "+s", 0755, false, 06755 },
		{ "o+s", 0755, false, 0755 },
		{ "u=rwx", 04755, false, 0755 },
		{ "+t", 0777, true, 01777 },
		{ "-t", 01777, true, 0777 },
		{ "a=rwx", 01777, true, 01777 },
		{ "a=rwxt", 0, true, 01777 },
		/* what could be executed before the change is what X looks at */
		{ "a-x,a+X", 0755, false, 0755 },
		{ "=r", 0777, false, 0444 },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		struct xb_mode_change change;
		mode_t after;

		assert_int_equal(xb_mode_parse(examples[i].text, &change, NULL), 0);
		after = xb_mode_apply(&change, examples[i].before, examples[i].is_dir);
		if (after != examples[i].after)
			fail_msg("%s of %o: %o", examples[i].text, examples[i].before, after);
	}
}

static void test_errors(void **state)
{
	static const char *const bad[] = { "",	       "x",    "u",    "u+x,",	 ",u+x",
					   "u+x,,g+x", "z+x",  "u*x",  "u+xz",	 "755",
					   "u+7",      "u +x", "+x\n", "rw-r--", "\xff" };
	xb_auto_str struct xb_str many = XB_STR_INIT(XB_STR_OWN);
	struct xb_mode_change change;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (xb_mode_parse(bad[i], &change, &err) >= 0)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(err.fault, XB_FAULT_SOURCE);
		assert_non_null(err.hint);
	}
	for (size_t i = 0; i <= XB_MODE_ACTIONS_MAX; i++)
		(void)xb_str_puts(&many, i > 0 ? ",u+x" : "u+x");
	assert_true(xb_mode_parse(xb_str_text(&many), &change, NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
