/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line of `build` comes to, before anything is opened; and up to a plan. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/cli/request.h"
#include "tests/unit/scratch.h"

/* Read up to ten arguments; `request` is to be cleared whatever comes back. */
static int read_args(const char *const *args, struct xb_build_request *request,
		     struct xb_error *err)
{
	static char *argv[12];
	struct xb_invocation invocation = { .argv = argv, .stop_fd = -1 };
	size_t n = 0;

	for (; args[n] != NULL; n++)
		argv[n] = (char *)(uintptr_t)args[n];
	argv[n] = NULL;
	return xb_build_request_read(&invocation, request, err);
}

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void reads(const char *const *args, struct xb_build_request *request)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (read_args(args, request, &err) < 0)
		fail_msg("%s: %s", args[0], err.message);
}

static void refuses(const char *const *args, const char *why)
{
	xb_auto_build_request struct xb_build_request request = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (read_args(args, &request, &err) >= 0)
		fail_msg("%s %s is taken", args[0], args[1] != NULL ? args[1] : "");
	assert_int_equal(err.fault, XB_FAULT_USAGE);
	assert_non_null(err.hint);
	if (strstr(err.message, why) == NULL)
		fail_msg("not \"%s\": %s", why, err.message);
}

static char *platforms_of(const struct xb_build_request *request)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(10000);

	for (size_t i = 0; i < request->platforms.len; i++)
		(void)xb_str_printf(&text, "%s%s", i > 0 ? " " : "",
				    xb_platform_name(&request->platforms.items[i]).text);
	return xb_str_steal(&text);
}

static void test_defaults(void **state)
{
	xb_auto_build_request struct xb_build_request request = { 0 };

	(void)state;
	reads(ARGS("."), &request);
	assert_int_equal(request.platforms.len, 1);
	assert_true(xb_platform_eq(&request.platforms.items[0], &request.host));
	assert_int_equal(request.outputs.len, 1);
	assert_int_equal(request.outputs.items[0].type, XB_OUTPUT_IMAGE);
	assert_true(request.epoch == -1);
	assert_int_equal(request.jobs, 0);
	assert_false(request.no_network);
	assert_string_equal(request.operands.items[0], ".");
}

static void test_platforms(void **state)
{
	xb_auto_build_request struct xb_build_request request = { 0 };
	xb_auto_build_request struct xb_build_request local = { 0 };
	xb_autofree char *all = NULL;

	(void)state;
	reads(ARGS("--platform", "linux/arm64, linux/x86_64", "--platform=linux/arm64/v8,linux/arm",
		   "."),
	      &request);
	all = platforms_of(&request);
	/* normalised, each once, in the order asked for */
	assert_string_equal(all, "linux/arm64 linux/amd64 linux/arm/v7");
	reads(ARGS("--platform", "local", "."), &local);
	assert_true(xb_platform_eq(&local.platforms.items[0], &local.host));
	refuses(ARGS("--platform", "linux/amd64,", "."), "");
	refuses(ARGS("--platform", "a/b/c/d", "."), "");
	refuses(ARGS("--platform", "", "."), "");
}

static void test_build_arguments(void **state)
{
	xb_auto_build_request struct xb_build_request request = { 0 };
	const struct xb_strv *args = &request.options.build_args;

	(void)state;
	assert_int_equal(setenv("XB_TEST_GIVEN", "from the environment", 1), 0);
	assert_int_equal(unsetenv("XB_TEST_MISSING"), 0);
	assert_int_equal(unsetenv("SOURCE_DATE_EPOCH"), 0);
	reads(ARGS("--build-arg", "A=1", "--build-arg=A=2=3", "--build-arg", "XB_TEST_GIVEN",
		   "--build-arg", "XB_TEST_MISSING", "--build-arg", "E=", "."),
	      &request);
	/* the last of a name counts */
	assert_string_equal(xb_env_get(args, XB_VIEW("A")), "2=3");
	assert_string_equal(xb_env_get(args, XB_VIEW("XB_TEST_GIVEN")), "from the environment");
	assert_null(xb_env_get(args, XB_VIEW("XB_TEST_MISSING")));
	assert_string_equal(xb_env_get(args, XB_VIEW("E")), "");
}

static const char *epoch_of(const struct xb_build_request *request)
{
	return xb_env_get(&request->options.build_args, XB_VIEW("SOURCE_DATE_EPOCH"));
}

/* The environment gives it where the command line does not. */
static void test_epoch(void **state)
{
	xb_auto_build_request struct xb_build_request none = { 0 };
	xb_auto_build_request struct xb_build_request env = { 0 };
	xb_auto_build_request struct xb_build_request given = { 0 };
	xb_auto_build_request struct xb_build_request emptied = { 0 };

	(void)state;
	assert_int_equal(unsetenv("SOURCE_DATE_EPOCH"), 0);
	reads(ARGS("."), &none);
	assert_null(epoch_of(&none));
	assert_true(none.epoch == -1);
	assert_int_equal(setenv("SOURCE_DATE_EPOCH", "123", 1), 0);
	reads(ARGS("."), &env);
	assert_string_equal(epoch_of(&env), "123");
	reads(ARGS("--build-arg", "SOURCE_DATE_EPOCH=0", "."), &given);
	assert_string_equal(epoch_of(&given), "0");
	reads(ARGS("--build-arg", "SOURCE_DATE_EPOCH=", "."), &emptied);
	assert_string_equal(epoch_of(&emptied), "");
	assert_int_equal(unsetenv("SOURCE_DATE_EPOCH"), 0);
}

static void test_hosts(void **state)
{
	xb_auto_build_request struct xb_build_request request = { 0 };

	(void)state;
	reads(ARGS("--add-host", "db:10.0.0.1", "--add-host=six=::1", "--add-host",
		   "seven:[fe80::7]", "."),
	      &request);
	assert_int_equal(request.host_lines.len, 3);
	assert_string_equal(request.host_lines.items[0], "10.0.0.1\tdb");
	assert_string_equal(request.host_lines.items[1], "::1\tsix");
	assert_string_equal(request.host_lines.items[2], "fe80::7\tseven");
	refuses(ARGS("--add-host", "db", "."), "no address");
	refuses(ARGS("--add-host", "db:", "."), "no address");
	refuses(ARGS("--add-host", "db:somewhere", "."), "no address");
	refuses(ARGS("--add-host", "db:1.2.3.4.5", "."), "no address");
	refuses(ARGS("--add-host", ":1.2.3.4", "."), "no name");
	/* a line is one line, and a name no second one */
	refuses(ARGS("--add-host", "db:1.2.3.4\n6.6.6.6\tbank", "."), "--add-host");
	refuses(ARGS("--add-host", "db bank:1.2.3.4", "."), "--add-host");
}

static void test_max_layer_size(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "1", 1 },
		{ "500M", UINT64_C(500) << 20 },
		{ "20G", UINT64_C(20) << 30 },
		{ "1T", UINT64_C(1) << 40 },
	};
	static const char *const bad[] = { "", "0", "-1", "G", "1.5G", "1GG", "1g", "9999999999T" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(good); i++) {
		xb_auto_build_request struct xb_build_request request = { 0 };

		reads(ARGS("--max-layer-size", good[i].text, "."), &request);
		assert_int_equal(request.max_layer, good[i].bytes);
	}
	for (size_t i = 0; i < XB_COUNT(bad); i++)
		refuses(ARGS("--max-layer-size", bad[i], "."), "--max-layer-size");
}

static void test_network_and_jobs(void **state)
{
	xb_auto_build_request struct xb_build_request none = { 0 };
	xb_auto_build_request struct xb_build_request host = { 0 };

	(void)state;
	reads(ARGS("--network", "none", "-j", "3", "."), &none);
	assert_true(none.no_network);
	assert_int_equal(none.jobs, 3);
	reads(ARGS("--network=host", "."), &host);
	assert_false(host.no_network);
	refuses(ARGS("--network", "bridge", "."), "--network bridge");
	refuses(ARGS("--jobs", "0", "."), "--jobs 0");
	refuses(ARGS("--jobs", "-1", "."), "--jobs -1");
	refuses(ARGS("--jobs", "1025", "."), "--jobs 1025");
	refuses(ARGS("--jobs", "many", "."), "--jobs many");
}

static void test_names_and_labels(void **state)
{
	xb_auto_build_request struct xb_build_request request = { 0 };

	(void)state;
	reads(ARGS("-t", "app:1", "-t", "ghcr.io/a/b", "--label", "a=", "."), &request);
	assert_int_equal(request.options.names.len, 2);
	refuses(ARGS("-t", "App", "."), "-t App");
	refuses(ARGS("-t", "", "."), "-t ");
	refuses(ARGS("-t", "app:", "."), "-t app:");
	refuses(ARGS("--label", "=x", "."), "--label =x");
	refuses(ARGS("-o", "type=zip,dest=x", "."), "-o type=zip");
	refuses(ARGS("--emulator", "linux/arm64", "."), "");
}

static void test_operands(void **state)
{
	(void)state;
	refuses(ARGS("-q"), "no build context");
	refuses(ARGS("a", "b"), "more than one build context");
	refuses(ARGS("-f", "-", "-"), "cannot be both");
	refuses(ARGS("--push", "."), "pushing an image that has no name");
}

static void test_help_needs_nothing(void **state)
{
	xb_auto_build_request struct xb_build_request request = { 0 };

	(void)state;
	reads(ARGS("--help"), &request);
	assert_true(request.options.help);
}

/* ---- up to a plan ------------------------------------------------------------------------- */

/* Plan the context "c" of the scratch directory with a store of its own. */
static int plan_args(const char *const *args, struct xb_build_request *request,
		     struct xb_error *err)
{
	xb_autofree char *root = xb_strdup(scratch_path("store"));
	struct xb_invocation invocation = { .default_root = root, .stop_fd = -1 };
	int r = read_args(args, request, err);

	return r < 0 ? r : xb_build_request_plan(&invocation, request, err);
}

static void plan_refuses(const char *const *args, const char *why, enum xb_fault fault)
{
	xb_auto_build_request struct xb_build_request request = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (plan_args(args, &request, &err) >= 0)
		fail_msg("%s is planned", args[0]);
	if (strstr(err.message, why) == NULL)
		fail_msg("not \"%s\": %s", why, err.message);
	assert_int_equal(err.fault, fault);
}

static void test_plan(void **state)
{
	xb_auto_build_request struct xb_build_request request = { 0 };
	xb_auto_build_request struct xb_build_request other = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *context = xb_strdup(scratch_path("c"));
	xb_autofree char *elsewhere = xb_strdup(scratch_path("other.Dockerfile"));

	(void)state;
	assert_int_equal(mkdirat(scratch_fd, "c", 0755), 0);
	plan_refuses(ARGS(context), "Dockerfile", XB_FAULT_SOURCE);
	scratch_write("c/Dockerfile", "FROM scratch\nCOPY . /\n");
	scratch_write("other.Dockerfile", "FROM scratch\nCOPY . /\nCOPY . /two\n");
	if (plan_args(ARGS("--platform", "linux/amd64,linux/arm64", context), &request, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(request.plan->step_count, 1);
	assert_int_equal(request.plan->target_count, 2);
	assert_int_equal(plan_args(ARGS("-f", elsewhere, context), &other, &err), 0);
	assert_int_equal(other.plan->step_count, 2);
}

static void test_plan_fails(void **state)
{
	xb_autofree char *context = xb_strdup(scratch_path("c"));
	xb_autofree char *missing = xb_strdup(scratch_path("missing"));

	(void)state;
	assert_int_equal(mkdirat(scratch_fd, "c", 0755), 0);
	scratch_write("c/Dockerfile", "FROM scratch\nCOPY . /\n");
	plan_refuses(ARGS(missing), "missing", XB_FAULT_SOURCE);
	plan_refuses(ARGS("-f", missing, context), "missing", XB_FAULT_SOURCE);
	plan_refuses(ARGS("--target", "x", context), "no stage called x", XB_FAULT_SOURCE);
	/* known before anything runs */
	plan_refuses(
		ARGS("--platform", "linux/amd64,linux/arm64", "-o", "type=docker,dest=x", context),
		"holds one platform", XB_FAULT_USAGE);
	scratch_write("c/Dockerfile", "FROM localhost:1/nonesuch\n");
	plan_refuses(ARGS(context), "localhost:1/nonesuch", XB_FAULT_REGISTRY);
	scratch_write("c/Dockerfile", "FORM scratch\n");
	plan_refuses(ARGS(context), "Dockerfile:1:1", XB_FAULT_SOURCE);
	scratch_write("c/Dockerfile", "FROM scratch\nCOPY git@h:x /\n");
	plan_refuses(ARGS(context), "Dockerfile:2:6", XB_FAULT_SOURCE);
}

/* The plan knows the time of a reproducible build. */
static void test_planned_epoch(void **state)
{
	static const struct {
		const char *arg;
		int64_t epoch;
	} good[] = {
		{ "SOURCE_DATE_EPOCH=0", 0 },
		{ "SOURCE_DATE_EPOCH=123", 123 },
		{ "SOURCE_DATE_EPOCH=", -1 },
		{ "SOURCE_DATE_EPOCH=context", -1 }, /* a directory has no time */
	};
	static const char *const bad[] = { "-1", "yesterday", "99999999999999" };
	xb_autofree char *context = xb_strdup(scratch_path("c"));

	(void)state;
	assert_int_equal(mkdirat(scratch_fd, "c", 0755), 0);
	scratch_write("c/dockerfile", "FROM scratch\n");
	for (size_t i = 0; i < XB_COUNT(good); i++) {
		xb_auto_build_request struct xb_build_request request = { 0 };

		assert_int_equal(
			plan_args(ARGS("--build-arg", good[i].arg, context), &request, NULL), 0);
		assert_true(request.epoch == good[i].epoch);
	}
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_autofree char *arg = xb_format("SOURCE_DATE_EPOCH=%s", bad[i]);

		plan_refuses(ARGS("--build-arg", arg, context), "invalid SOURCE_DATE_EPOCH",
			     XB_FAULT_USAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_platforms),
		cmocka_unit_test(test_build_arguments),
		cmocka_unit_test(test_epoch),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_network_and_jobs),
		cmocka_unit_test(test_max_layer_size),
		cmocka_unit_test(test_names_and_labels),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_help_needs_nothing),
		cmocka_unit_test_setup_teardown(test_plan, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_plan_fails, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_planned_epoch, scratch_setup,
						scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
