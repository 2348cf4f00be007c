/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "builder/dockerfile/device.h"

static void test_requests(void **state)
{
	static const struct {
		const char *text, *name;
		bool required;
	} good[] = {
		{ "v.com/d", "v.com/d", false },
		{ "v.com/d=x", "v.com/d=x", false },
		{ "v.com/d=*,required", "v.com/d=*", true },
		{ "required,v.com/d=x", "v.com/d=x", true },
		{ "name=v.com/d=x,required=false", "v.com/d=x", false },
		{ "NAME=class,Required=1", "class", true },
		{ "\"a,b\"", "a,b", false },
		{ "name", "name", false },
	};
	static const char *const bad[] = { "",	       "required",     "a,b",		"name=a,b",
					   "a,name=b", "a,required=x", "a,wanted=true", "name=",
					   "a,\"b" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(good); i++) {
		xb_auto_device struct xb_device_request device = { 0 };

		if (xb_device_parse(good[i].text, &device, NULL) < 0)
			fail_msg("%s is not taken", good[i].text);
		assert_string_equal(device.name, good[i].name);
		assert_int_equal(device.required, good[i].required);
	}
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		struct xb_device_request device = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (xb_device_parse(bad[i], &device, &err) != -EINVAL)
			fail_msg("%s is taken", bad[i]);
		assert_int_equal(err.fault, XB_FAULT_SOURCE);
		assert_null(device.name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_requests) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
