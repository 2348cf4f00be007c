/* SPDX-License-Identifier: Apache-2.0 */
/* How platforms run here, and how that is explained. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "emulation/binfmt.h"
#include "emulation/strategy.h"
#include "platforms/host.h"
#include "tests/unit/need.h"

static struct xb_platform parsed(const char *text)
{
	const struct xb_platform defaults = { .os = "linux", .arch = "amd64" };
	struct xb_platform p;

	assert_int_equal(xb_platform_parse(xb_view(text), &defaults, &p, NULL), 0);
	return p;
}

static struct xb_platform here(void)
{
	struct xb_platform host;

	assert_int_equal(xb_platform_host(&host, NULL), 0);
	return host;
}

static const struct xb_strategy_options nothing_installed = {
	.emulators = { .search_path = "", .system_path = "" },
};

static void the_host_is_native(void **state)
{
	const struct xb_strategy_options options = { .no_emulation = true };
	struct xb_platform host = here();
	xb_auto_strategy_decision struct xb_strategy_decision d = XB_STRATEGY_DECISION_INIT;
	xb_autofree char *expected = xb_format("host is %s", xb_platform_name(&host).text);

	(void)state;
	xb_strategy_decide(&host, &host, &options, &d);
	assert_int_equal(d.strategy, XB_STRATEGY_NATIVE);
	assert_string_equal(d.reason, expected);
	assert_null(d.hint);
	assert_string_equal(xb_strategy_name(d.strategy), "native");
}

/* For another machine names decide, and nothing that is here. */
static void elsewhere_names_decide(void **state)
{
	static const struct {
		const char *target;
		enum xb_strategy strategy;
	} cases[] = {
		{ "linux/arm64", XB_STRATEGY_NATIVE },
		{ "linux/arm/v7", XB_STRATEGY_COMPAT },
		{ "linux/amd64", XB_STRATEGY_EMULATED },
		{ "linux/s390x", XB_STRATEGY_EMULATED },
	};
	struct xb_strategy_options options = nothing_installed;
	struct xb_platform host = parsed("linux/arm64");

	(void)state;
	options.elsewhere = true;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		struct xb_platform target = parsed(cases[i].target);
		xb_auto_strategy_decision struct xb_strategy_decision d = XB_STRATEGY_DECISION_INIT;

		xb_strategy_decide(&target, &host, &options, &d);
		assert_int_equal(d.strategy, cases[i].strategy);
		assert_non_null(strstr(d.reason, "host is linux/arm64"));
	}
}

static void missing_emulators_make_it_impossible(void **state)
{
	struct xb_platform host = here();
	struct xb_platform target = parsed("linux/s390x");
	xb_auto_strategy_decision struct xb_strategy_decision d = XB_STRATEGY_DECISION_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	if (strcmp(host.arch, "s390x") == 0)
		target = parsed("linux/riscv64");
	xb_strategy_decide(&target, &host, &nothing_installed, &d);
	assert_int_equal(d.strategy, XB_STRATEGY_IMPOSSIBLE);
	assert_non_null(strstr(d.reason, "is not installed"));
	assert_non_null(d.hint);
	assert_null(d.emulator.path);
	assert_int_equal(xb_strategy_error(&d, &target, &err), -ENOTSUP);
	assert_int_equal(err.fault, XB_FAULT_PLATFORM);
	assert_non_null(strstr(err.message, xb_platform_name(&target).text));
	assert_string_equal(err.hint, d.hint);
}

static void emulation_can_be_switched_off(void **state)
{
	const struct xb_strategy_options options = { .no_emulation = true };
	struct xb_platform host = parsed("linux/amd64");
	struct xb_platform target = parsed("linux/arm64");
	xb_auto_strategy_decision struct xb_strategy_decision d = XB_STRATEGY_DECISION_INIT;

	(void)state;
	xb_strategy_decide(&target, &host, &options, &d);
	assert_int_equal(d.strategy, XB_STRATEGY_IMPOSSIBLE);
	assert_non_null(strstr(d.hint, "--no-emulation"));
}

static void other_systems_are_impossible(void **state)
{
	struct xb_platform host = here();
	struct xb_platform target = parsed("windows/amd64");
	xb_auto_strategy_decision struct xb_strategy_decision d = XB_STRATEGY_DECISION_INIT;

	(void)state;
	xb_strategy_decide(&target, &host, &nothing_installed, &d);
	assert_int_equal(d.strategy, XB_STRATEGY_IMPOSSIBLE);
	assert_non_null(strstr(d.reason, "windows/amd64"));
}

static void overrides_win_over_compat(void **state)
{
	xb_auto_strv struct xb_strv overrides = XB_STRV_INIT;
	const struct xb_strategy_options options = {
		.emulators = { .overrides = &overrides, .search_path = "", .system_path = "" },
	};
	struct xb_platform host = parsed("linux/amd64");
	struct xb_platform target = parsed("linux/386");
	xb_auto_strategy_decision struct xb_strategy_decision d = XB_STRATEGY_DECISION_INIT;

	(void)state;
	xb_strv_push(&overrides, "linux/386=/nowhere");
	xb_strategy_decide(&target, &host, &options, &d);
	assert_int_equal(d.strategy, XB_STRATEGY_IMPOSSIBLE);
	assert_non_null(strstr(d.reason, "/nowhere"));
}

/* On a machine with emulators: every architecture of the table has a way, and says which. */
static void installed_emulators_are_used(void **state)
{
	const struct xb_strategy_options options = { 0 };
	struct xb_platform host = here();
	const struct xb_arch *arch;
	size_t emulated = 0;

	(void)state;
	for (size_t i = 0; (arch = xb_arch_at(i)) != NULL; i++) {
		struct xb_platform target = xb_arch_platform(arch);
		xb_auto_strategy_decision struct xb_strategy_decision d = XB_STRATEGY_DECISION_INIT;

		xb_strategy_decide(&target, &host, &options, &d);
		print_message("%-16s %-10s %s\n", xb_platform_name(&target).text,
			      xb_strategy_name(d.strategy), d.reason);
		assert_true((d.hint != NULL) == (d.strategy == XB_STRATEGY_IMPOSSIBLE));
		assert_true((d.emulator.path != NULL) == (d.strategy == XB_STRATEGY_EMULATED));
		if (d.strategy != XB_STRATEGY_EMULATED)
			continue;
		emulated++;
		assert_non_null(strstr(d.reason, d.emulator.version));
		assert_non_null(strstr(d.reason, " from /"));
	}
	need("binfmt", emulated > 0); /* qemu-user-static and Linux 6.7 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_host_is_native),
		cmocka_unit_test(elsewhere_names_decide),
		cmocka_unit_test(missing_emulators_make_it_impossible),
		cmocka_unit_test(emulation_can_be_switched_off),
		cmocka_unit_test(other_systems_are_impossible),
		cmocka_unit_test(overrides_win_over_compat),
		cmocka_unit_test(installed_emulators_are_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
