/* SPDX-License-Identifier: Apache-2.0 */
/* The host, and which platforms run on it without an emulator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "platforms/arch.h"
#include "platforms/host.h"

static struct xb_platform parsed(const char *text)
{
	const struct xb_platform defaults = { .os = "linux", .arch = "amd64" };
	struct xb_platform p;

	assert_int_equal(xb_platform_parse(xb_view(text), &defaults, &p, NULL), 0);
	return p;
}

static enum xb_native by_name(const char *host, const char *target)
{
	struct xb_platform h = parsed(host);
	struct xb_platform t = parsed(target);

	return xb_native_by_name(&h, &t);
}

static void the_host_is_what_uname_says(void **state)
{
	struct xb_platform host;
	struct utsname name;

	(void)state;
	assert_int_equal(xb_platform_host(&host, NULL), 0);
	assert_int_equal(uname(&name), 0);
	assert_string_equal(host.os, "linux");
	assert_string_equal(host.arch, xb_arch_of_machine(name.machine)->name);
	assert_int_equal(xb_native_here(&host, &host), XB_NATIVE_YES);
}

static void names_tell_what_may_run(void **state)
{
	(void)state;
	assert_int_equal(by_name("linux/amd64", "linux/amd64"), XB_NATIVE_YES);
	assert_int_equal(by_name("linux/amd64", "linux/amd64/v3"), XB_NATIVE_YES);
	assert_int_equal(by_name("linux/amd64", "linux/386"), XB_NATIVE_COMPAT);
	assert_int_equal(by_name("linux/386", "linux/amd64"), XB_NATIVE_NO);
	assert_int_equal(by_name("linux/arm64", "linux/arm/v7"), XB_NATIVE_COMPAT);
	assert_int_equal(by_name("linux/arm64", "linux/arm/v5"), XB_NATIVE_COMPAT);
	assert_int_equal(by_name("linux/arm/v7", "linux/arm/v6"), XB_NATIVE_YES);
	assert_int_equal(by_name("linux/arm/v6", "linux/arm/v7"), XB_NATIVE_NO);
	assert_int_equal(by_name("linux/amd64", "linux/arm64"), XB_NATIVE_NO);
	assert_int_equal(by_name("linux/amd64", "windows/amd64"), XB_NATIVE_NO);
	assert_int_equal(by_name("linux/ppc64le", "linux/ppc64"), XB_NATIVE_NO);
}

static void trying_compat_leaves_the_thread_as_it_was(void **state)
{
	struct xb_platform host, target;
	int before = personality(0xffffffff);
	enum xb_native native;

	(void)state;
	assert_int_equal(xb_platform_host(&host, NULL), 0);
	target = parsed(strcmp(host.arch, "amd64") == 0 ? "linux/386" : "linux/arm/v7");
	native = xb_native_here(&host, &target);
	assert_int_equal(xb_native_here(&host, &target), native);
	assert_int_equal(personality(0xffffffff), before);
	if (xb_native_by_name(&host, &target) != XB_NATIVE_COMPAT)
		assert_int_equal(native, xb_native_by_name(&host, &target));
	else
		assert_true(native == XB_NATIVE_COMPAT || native == XB_NATIVE_NO);
	print_message("%s on %s: %s\n", xb_platform_name(&target).text,
		      xb_platform_name(&host).text, native == XB_NATIVE_COMPAT ? "compat" : "no");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_host_is_what_uname_says),
		cmocka_unit_test(names_tell_what_may_run),
		cmocka_unit_test(trying_compat_leaves_the_thread_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
