/* SPDX-License-Identifier: Apache-2.0 */
/* What --ulimit and --resource say, and what that is in a control group of either version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "builder/sandbox/limits.h"
#include "builder/sandbox/ulimit.h"

static void test_ulimits(void **state)
{
	struct xb_sandbox_limits limits = { 0 };
	const struct xb_sandbox_rlimits *l = &limits.rlimits;

	(void)state;
	assert_int_equal(xb_ulimit_parse("nofile=1024:4096", &limits.rlimits, NULL), 0);
	assert_int_equal(xb_ulimit_parse("cpu=10", &limits.rlimits, NULL), 0);
	assert_int_equal(xb_ulimit_parse("core=0:-1", &limits.rlimits, NULL), 0);
	assert_int_equal(xb_ulimit_parse("nofile=5", &limits.rlimits, NULL), 0);
	assert_int_equal(l->len, 3);
	assert_int_equal(l->items[0].resource, RLIMIT_NOFILE);
	assert_true(l->items[0].soft == 5 && l->items[0].hard == 5);
	assert_int_equal(l->items[1].resource, RLIMIT_CPU);
	assert_true(l->items[2].soft == 0 && l->items[2].hard == UINT64_MAX);
	xb_sandbox_limits_clear(&limits);
}

static void test_all_names_of_docker(void **state)
{
	static const struct {
		const char *name;
		unsigned resource;
	} names[] = {
		{ "core", RLIMIT_CORE },	 { "cpu", RLIMIT_CPU },
		{ "data", RLIMIT_DATA },	 { "fsize", RLIMIT_FSIZE },
		{ "locks", RLIMIT_LOCKS },	 { "memlock", RLIMIT_MEMLOCK },
		{ "msgqueue", RLIMIT_MSGQUEUE }, { "nice", RLIMIT_NICE },
		{ "nofile", RLIMIT_NOFILE },	 { "nproc", RLIMIT_NPROC },
		{ "rss", RLIMIT_RSS },		 { "rtprio", RLIMIT_RTPRIO },
		{ "rttime", RLIMIT_RTTIME },	 { "sigpending", RLIMIT_SIGPENDING },
		{ "stack", RLIMIT_STACK },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		struct xb_sandbox_limits limits = { 0 };
		xb_autofree char *text = xb_format("%s=1", names[i].name);

		assert_int_equal(xb_ulimit_parse(text, &limits.rlimits, NULL), 0);
		assert_int_equal(limits.rlimits.items[0].resource, names[i].resource);
		assert_string_equal(xb_ulimit_name(names[i].resource), names[i].name);
		xb_sandbox_limits_clear(&limits);
	}
	assert_string_equal(xb_ulimit_name(RLIMIT_AS), "limit");
}

static void test_bad_ulimits(void **state)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{ "nofile", "no value" },
		{ "as=1", "no such limit" },
		{ "NOFILE=1", "no such limit" },
		{ "=1", "no such limit" },
		{ "nofile=", "no whole number" },
		{ "nofile=1:", "no whole number" },
		{ "nofile=1:2:3", "no whole number" },
		{ "nofile=-2", "no whole number" },
		{ "nofile=x", "no whole number" },
		{ "nofile=9223372036854775808", "no whole number" },
		{ "nofile=2:1", "above the hard limit" },
		{ "nofile=-1:1", "above the hard limit" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		struct xb_sandbox_limits limits = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (xb_ulimit_parse(bad[i].text, &limits.rlimits, &err) != -EINVAL)
			fail_msg("%s is taken", bad[i].text);
		assert_non_null(strstr(err.message, bad[i].message));
		assert_int_equal(err.fault, XB_FAULT_USAGE);
		assert_int_equal(limits.rlimits.len, 0);
	}
}

/* Descriptors have a bound of the kernel's (fs.nr_open) that not even root can pass. */
static void test_hard_limit_that_cannot_be_raised(void **state)
{
	struct xb_sandbox_limits limits = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct rlimit before, after;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(xb_ulimit_parse("nofile=10:9000000000000", &limits.rlimits, NULL), 0);
	assert_int_equal(xb_ulimit_check(&limits.rlimits, &err), -EPERM);
	assert_int_equal(err.fault, XB_FAULT_USAGE);
	assert_non_null(strstr(err.message, "--ulimit nofile: the hard limit cannot be raised"));
	assert_non_null(err.hint);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
	assert_true(before.rlim_cur == after.rlim_cur && before.rlim_max == after.rlim_max);
	limits.rlimits.items[0].hard = before.rlim_max;
	assert_int_equal(xb_ulimit_check(&limits.rlimits, NULL), 0);
	xb_sandbox_limits_clear(&limits);
}

/* Read resources from words and give them as "file=value" words, for one version. */
static char *settings_of(const char *words, bool v2)
{
	struct xb_resources resources = { 0 };
	struct xb_cgroup_settings settings = { 0 };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	struct xb_view rest = xb_view(words), word;

	while (xb_view_split(&rest, ' ', &word)) {
		xb_autofree char *option = xb_view_dup(word);

		if (xb_resources_parse(option, &resources, NULL) < 0)
			fail_msg("%s", option);
	}
	assert_int_equal(xb_resources_check(&resources, NULL), 0);
	for (unsigned c = 0; c < XB_CONTROLLER_COUNT; c++) {
		size_t before = settings.len;

		xb_resources_settings(&resources, (enum xb_controller)c, v2, &settings);
		assert_int_equal(settings.len > before,
				 xb_resources_need(&resources, (enum xb_controller)c));
	}
	for (size_t i = 0; i < settings.len; i++)
		(void)xb_str_printf(&text, "%s%s=%s", i > 0 ? ", " : "", settings.items[i].file,
				    settings.items[i].value);
	xb_cgroup_settings_clear(&settings);
	xb_resources_clear(&resources);
	return xb_str_steal(&text);
}

static void test_settings(void **state)
{
	static const struct {
		const char *words, *v1, *v2;
	} cases[] = {
		{ "memory=100m", "memory.limit_in_bytes=104857600", "memory.max=104857600" },
		{ "memory=2g memory-swap=3g",
		  "memory.limit_in_bytes=2147483648, memory.memsw.limit_in_bytes=3221225472",
		  "memory.max=2147483648, memory.swap.max=1073741824" },
		{ "memory=2g memory-swap=2g",
		  "memory.limit_in_bytes=2147483648, memory.memsw.limit_in_bytes=2147483648",
		  "memory.max=2147483648, memory.swap.max=0" },
		{ "memory=1k memory-swap=-1",
		  "memory.limit_in_bytes=1024, memory.memsw.limit_in_bytes=-1",
		  "memory.max=1024, memory.swap.max=max" },
		{ "cpu-shares=1024", "cpu.shares=1024", "cpu.weight=100" },
		{ "cpu-shares=512", "cpu.shares=512", "cpu.weight=50" },
		{ "cpu-shares=1", "cpu.shares=1", "cpu.weight=1" },
		{ "cpu-shares=262144", "cpu.shares=262144", "cpu.weight=10000" },
		{ "cpu-shares=9223372036854775807", "cpu.shares=9223372036854775807",
		  "cpu.weight=10000" },
		{ "cpu-quota=50000", "cpu.cfs_quota_us=50000", "cpu.max=50000 100000" },
		{ "cpu-quota=5000 cpu-period=20000",
		  "cpu.cfs_period_us=20000, cpu.cfs_quota_us=5000", "cpu.max=5000 20000" },
		{ "cpu-period=20000", "cpu.cfs_period_us=20000", "cpu.max=max 20000" },
		{ "cpuset-cpus=0-3,7 cpuset-mems=0", "cpuset.cpus=0-3,7, cpuset.mems=0",
		  "cpuset.cpus=0-3,7, cpuset.mems=0" },
		{ "pids=64", "pids.max=64", "pids.max=64" },
		{ "pids=64 pids=65", "pids.max=65", "pids.max=65" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_autofree char *v1 = settings_of(cases[i].words, false);
		xb_autofree char *v2 = settings_of(cases[i].words, true);

		assert_string_equal(v1, cases[i].v1);
		assert_string_equal(v2, cases[i].v2);
	}
}

static void test_bad_resources(void **state)
{
	static const char *const bad[] = {
		"memory",
		"memory=",
		"memory=0",
		"memory=-1",
		"memory=x",
		"bogus=1",
		"=1",
		"Memory=1g",
		"memory-swap=0",
		"memory-swap=-2",
		"cpu-shares=0",
		"cpu-shares=x",
		"cpu-shares=-1",
		"cpu-quota=0",
		"cpu-period=1.5",
		"cpuset-cpus=",
		"cpuset-cpus=a",
		"cpuset-cpus=3-1",
		"cpuset-cpus=0-",
		"cpuset-cpus=0,,1",
		"cpuset-mems=-1",
		"pids=0",
		"pids=max",
		"cpuset-cpus=0-99999",
		"cpuset-cpus=0\n1",
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		struct xb_resources resources = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (xb_resources_parse(bad[i], &resources, &err) != -EINVAL)
			fail_msg("%s is taken", bad[i]);
		assert_int_equal(err.fault, XB_FAULT_USAGE);
		assert_non_null(err.hint);
		xb_resources_clear(&resources);
	}
}

static void test_swap_needs_memory(void **state)
{
	const struct xb_resources good[] = {
		{ 0 },
		{ .memory = 5 },
		{ .memory = 5, .memory_swap = 5 },
		{ .memory_swap = UINT64_MAX },
	};
	const struct xb_resources bad[] = { { .memory_swap = 5 },
					    { .memory = 5, .memory_swap = 4 } };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(good); i++)
		assert_int_equal(xb_resources_check(&good[i], NULL), 0);
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_int_equal(xb_resources_check(&bad[i], &err), -EINVAL);
		assert_int_equal(err.fault, XB_FAULT_USAGE);
	}
	assert_false(xb_resources_any(&good[0]));
	assert_true(xb_resources_any(&good[1]) && xb_resources_any(&good[3]));
}

static void test_limits_in_a_specification(void **state)
{
	struct xb_sandbox_limits limits = { .shm_size = 4096 };
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;

	(void)state;
	xb_sandbox_spec_init(&spec);
	assert_int_equal(xb_ulimit_parse("nofile=7", &limits.rlimits, NULL), 0);
	xb_sandbox_limits_apply(&limits, &spec);
	assert_int_equal(spec.shm_size, 4096);
	assert_int_equal(spec.rlimits.len, 1);
	xb_sandbox_limits_clear(&limits);
	xb_sandbox_limits_apply(&limits, &spec);
	assert_int_equal(spec.shm_size, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ulimits),
		cmocka_unit_test(test_all_names_of_docker),
		cmocka_unit_test(test_bad_ulimits),
		cmocka_unit_test(test_hard_limit_that_cannot_be_raised),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_bad_resources),
		cmocka_unit_test(test_swap_needs_memory),
		cmocka_unit_test(test_limits_in_a_specification),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
