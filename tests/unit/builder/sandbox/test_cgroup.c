/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups: finding them in what kernels say, and, where this process may, real ones. Those
 * of version 2 are also played on a directory tree, in which files stand for the kernel's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/file.h>

#include "builder/sandbox/cgroup.h"
#include "tests/unit/builder/sandbox/step.h"

/* ---- places ------------------------------------------------------------------------------- */

#define MIXED                                                                                      \
	"25 1 0:23 / / rw shared:1 - ext4 /dev/sda rw\n"                                           \
	"30 25 0:26 / /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory\n"        \
	"31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"              \
	"32 25 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"

static void test_places(void **state)
{
	static const struct {
		const char *mounts, *own, *controller; /* NULL: version 2 */
		const char *path, *group;	       /* NULL: not found */
	} cases[] = {
		{ MIXED, "4:memory:/a/b\n1:cpu,cpuacct:/\n0::/c\n", "memory",
		  "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/a/b" },
		{ MIXED, "4:memory:/a/b\n1:cpu,cpuacct:/\n0::/c\n", "cpu",
		  "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct" },
		{ MIXED, "4:memory:/a/b\n0::/c\n", NULL, "/sys/fs/cgroup/unified",
		  "/sys/fs/cgroup/unified/c" },
		{ MIXED, "", "memory", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory" },
		{ MIXED, "0::/", "pids", NULL, NULL },
		/* a container sees its own group as the mount's root */
		{ "1 0 0:26 /docker/x /cg ro - cgroup2 cgroup rw\n", "0::/docker/x/y", NULL, "/cg",
		  "/cg/y" },
		{ "1 0 0:26 /docker/x /cg ro - cgroup2 cgroup rw\n", "0::/docker/x", NULL, "/cg",
		  "/cg" },
		{ "1 0 0:26 /docker/x /cg ro - cgroup2 cgroup rw\n", "0::/docker/xyz", NULL, "/cg",
		  "/cg" },
		{ "1 0 0:26 /docker/x /cg ro - cgroup2 cgroup rw\n", "0::/else", NULL, "/cg",
		  "/cg" },
		/* its namespace begins below the group that it is in */
		{ "1 0 0:26 / /cg rw - cgroup2 cgroup rw\n", "0::/../other", NULL, "/cg", "/cg" },
		{ "1 0 0:26 / /old rw - cgroup2 c rw\n2 0 0:26 / /new rw - cgroup2 c rw\n", "0::/",
		  NULL, "/new", "/new" },
		{ "", "", NULL, NULL, NULL },
		{ "1 0 0:26\n\n1 0 0:26 / /cg rw cgroup2\n", "::\n0", NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		struct xb_cgroup_places places = { xb_view(cases[i].mounts),
						   xb_view(cases[i].own) };
		xb_auto_cgroup_mount struct xb_cgroup_mount mount = { 0 };
		bool found = cases[i].controller != NULL
				     ? xb_cgroup_find_v1(&places, cases[i].controller, &mount)
				     : xb_cgroup_find_v2(&places, &mount);

		assert_int_equal(found, cases[i].path != NULL);
		if (!found)
			continue;
		assert_int_equal(mount.v2, cases[i].controller == NULL);
		assert_string_equal(mount.path, cases[i].path);
		assert_string_equal(mount.own, cases[i].group);
	}
}

/* ---- a tree that stands for version 2 ----------------------------------------------------- */

static void make_fake(const char *group, const char *controllers, const char *enabled,
		      const char *procs)
{
	xb_autofree char *c = xb_format("%s/cgroup.controllers", group);
	xb_autofree char *s = xb_format("%s/cgroup.subtree_control", group);
	xb_autofree char *p = xb_format("%s/cgroup.procs", group);

	(void)mkdir(scratch_path(group), 0755);
	scratch_write(c, controllers);
	scratch_write(s, enabled);
	scratch_write(p, procs);
}

static int open_fake(const char *own, const struct xb_resources *resources, const char *parent,
		     struct xb_cgroups **ret, struct xb_error *err)
{
	xb_autofree char *mounts =
		xb_format("1 0 0:26 / %s rw - cgroup2 cgroup2 rw\n", scratch_path("cg"));
	xb_autofree char *line = xb_format("0::%s\n", own);
	struct xb_cgroup_places places = { xb_view(mounts), xb_view(line) };

	return xb_cgroups_open(&places, resources, parent, ret, err);
}

/* A directory of such a tree lacks the files that the kernel would put into a new group: what says
 * so is that everything before that went well. */
static void fake_reaches_settings(const char *own, const char *parent, const char *where)
{
	const struct xb_resources resources = { .pids = 5 };
	xb_auto_cgroups struct xb_cgroups *cgroups = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	assert_int_equal(open_fake(own, &resources, parent, &cgroups, &err), -ENOENT);
	if (strstr(err.message, "this kernel's control groups have no pids.max") == NULL)
		fail_msg("%s: %s", where, err.message);
	assert_int_equal(err.fault, XB_FAULT_PLATFORM);
}

static void said(const char *file, const char *text)
{
	xb_autofree char *got = step_read(scratch_path(file));

	if (strstr(got, text) == NULL)
		fail_msg("%s says \"%s\"", file, got);
}

static void test_v2_own_group_that_passes_controllers_down(void **state)
{
	(void)state;
	make_fake("cg", "cpu memory pids\n", "memory pids\n", "");
	make_fake("cg/me", "memory pids\n", "pids\n", "77\n");
	fake_reaches_settings("/me", NULL, "its own group");
	said("cg/me/cgroup.subtree_control", "pids\n");
	said("cg/me/cgroup.procs", "77\n");
}

static void test_v2_controllers_are_enabled_on_the_way(void **state)
{
	(void)state;
	make_fake("cg", "cpu memory pids\n", "memory\n", "");
	make_fake("cg/a", "memory pids\n", "\n", "");
	make_fake("cg/a/b", "memory pids\n", "\n", "");
	fake_reaches_settings("/", "/a//b", "a group that is named");
	said("cg/cgroup.subtree_control", "+pids");
	said("cg/a/cgroup.subtree_control", "+pids");
	said("cg/a/b/cgroup.subtree_control", "+pids");
	/* a group that was made for this build is gone with it */
	make_fake("cg/a", "memory pids\n", "\n", "");
	{
		const struct xb_resources resources = { .pids = 5 };
		xb_auto_cgroups struct xb_cgroups *cgroups = NULL;

		assert_true(open_fake("/", &resources, "a/new/deep", &cgroups, NULL) < 0);
	}
	assert_int_equal(access(scratch_path("cg/a/new"), F_OK), -1);
}

static void test_v2_without_the_controller(void **state)
{
	const struct xb_resources resources = { .memory = 5 };
	xb_auto_cgroups struct xb_cgroups *cgroups = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	make_fake("cg", "cpu pids\n", "cpu pids\n", "");
	assert_int_equal(open_fake("/", &resources, NULL, &cgroups, &err), -ENOTSUP);
	assert_non_null(strstr(err.message, "no control group has the controller memory here"));
	assert_non_null(strstr(err.hint, "systemd-run --user --scope"));
	assert_int_equal(err.fault, XB_FAULT_PLATFORM);
}

static void test_no_group_that_is_writable(void **state)
{
	const struct xb_resources resources = { .pids = 5 };
	xb_auto_cgroups struct xb_cgroups *cgroups = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	make_fake("cg", "pids\n", "pids\n", "");
	assert_int_equal(unlink(scratch_path("cg/cgroup.subtree_control")), 0);
	assert_true(open_fake("/", &resources, NULL, &cgroups, &err) < 0);
	assert_non_null(strstr(err.message, "no control group can be made below"));
	assert_non_null(strstr(err.hint, "--cgroup-parent"));
	assert_int_equal(err.fault, XB_FAULT_PLATFORM);
}

static void test_v2_controller_that_was_not_delegated(void **state)
{
	const struct xb_resources resources = { .pids = 5, .cpu_quota = 5 };
	xb_auto_cgroups struct xb_cgroups *cgroups = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	make_fake("cg", "cpu pids\n", "pids\n", "");
	make_fake("cg/me", "pids\n", "pids\n", "");
	assert_int_equal(unlink(scratch_path("cg/cgroup.subtree_control")), 0);
	/* the kernel would say so when it is enabled; a file takes everything */
	assert_int_equal(unlink(scratch_path("cg/me/cgroup.subtree_control")), 0);
	assert_true(open_fake("/me", &resources, NULL, &cgroups, &err) < 0);
	assert_non_null(strstr(err.message, "/cg/me has not been given the controller cpu"));
	assert_string_equal(err.hint, "under systemd: Delegate=cpu for user@.service");
	assert_int_equal(err.fault, XB_FAULT_PLATFORM);
}

static void test_parents_that_lead_out(void **state)
{
	static const char *const bad[] = { "..", "/a/../b", "a/.." };
	const struct xb_resources resources = { .pids = 5 };

	(void)state;
	make_fake("cg", "pids\n", "pids\n", "");
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_auto_cgroups struct xb_cgroups *cgroups = NULL;
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_int_equal(open_fake("/", &resources, bad[i], &cgroups, &err), -EINVAL);
		assert_int_equal(err.fault, XB_FAULT_USAGE);
	}
}

/* What a killed builder has left goes; what another one still has locked stays. */
static void test_what_others_have_left(void **state)
{
	int live;

	(void)state;
	make_fake("cg", "pids\n", "pids\n", "");
	assert_int_equal(mkdir(scratch_path("cg/xbuild-1-1"), 0755), 0);
	assert_int_equal(mkdir(scratch_path("cg/xbuild-2-7"), 0755), 0);
	assert_int_equal(mkdir(scratch_path("cg/other"), 0755), 0);
	live = open(scratch_path("cg/xbuild-2-7"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(live, LOCK_EX | LOCK_NB), 0);
	fake_reaches_settings("/", NULL, "the root");
	assert_int_equal(access(scratch_path("cg/xbuild-1-1"), F_OK), -1);
	assert_int_equal(access(scratch_path("cg/xbuild-2-7"), F_OK), 0);
	assert_int_equal(access(scratch_path("cg/other"), F_OK), 0);
	(void)close(live);
}

/* ---- real groups -------------------------------------------------------------------------- */

/* Groups with limits that hurt nobody; skips the test where there are none. */
static struct xb_cgroups *real_groups(struct xb_resources *resources)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_cgroups *cgroups = NULL;
	int r = xb_cgroups_open(NULL, resources, NULL, &cgroups, &err);

	if (r < 0)
		print_message("%s\n", err.message);
	need("cgroup", r == 0);
	return cgroups;
}

static int step_in_group(struct step *s, struct xb_cgroup *cgroup, const char *script)
{
	xb_strv_clear(&s->spec.cgroups);
	xb_cgroup_paths(cgroup, &s->spec.cgroups);
	return step_sh(s, script);
}

static void test_memory(void **state)
{
	struct xb_resources resources = { .memory = 64 << 20 };
	xb_auto_cgroups struct xb_cgroups *cgroups = real_groups(&resources);
	xb_auto_cgroup struct xb_cgroup *cgroup = NULL;
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(xb_cgroup_new(cgroups, &cgroup, &s.err), 0);
	assert_int_equal(step_in_group(&s, cgroup, "dd if=/dev/zero of=/dev/null bs=1M count=1"),
			 0);
	assert_int_equal(xb_cgroup_events(cgroup).oom_kills, 0);
	assert_int_not_equal(
		step_in_group(&s, cgroup, "dd if=/dev/zero of=/dev/null bs=512M count=1"), 0);
	assert_true(xb_cgroup_events(cgroup).oom_kills > 0);
}

static void test_processes(void **state)
{
	struct xb_resources resources = { .pids = 8 };
	xb_auto_cgroups struct xb_cgroups *cgroups = real_groups(&resources);
	xb_auto_cgroup struct xb_cgroup *cgroup = NULL;
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(xb_cgroup_new(cgroups, &cgroup, &s.err), 0);
	assert_int_equal(step_in_group(&s, cgroup, "sleep 0 & sleep 0 & wait"), 0);
	assert_int_equal(xb_cgroup_events(cgroup).refused, 0);
	assert_int_not_equal(
		step_in_group(&s, cgroup, "for i in 1 2 3 4 5 6 7 8 9; do sleep 9 & done; wait"),
		0);
	assert_true(xb_cgroup_events(cgroup).refused > 0);
}

/* The step sees itself at the root of each hierarchy, and none of their files. */
static void test_nothing_of_it_is_seen(void **state)
{
	struct xb_resources resources = { .pids = 100 };
	xb_auto_cgroups struct xb_cgroups *cgroups = real_groups(&resources);
	xb_auto_cgroup struct xb_cgroup *cgroup = NULL;
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(xb_cgroup_new(cgroups, &cgroup, &s.err), 0);
	assert_int_equal(step_in_group(&s, cgroup,
				       "grep -v ':/$' /proc/self/cgroup; ls -A /sys/fs/cgroup; "
				       "mkdir /sys/fs/cgroup/x 2>/dev/null && echo made; "
				       "mount -t cgroup2 none /mnt 2>/dev/null && echo mounted; "
				       "unshare -C true 2>/dev/null && echo unshared; "
				       "find /sys -name cgroup.procs; ls /proc/self/fd"),
			 0);
	step_said(&s, "0\n1\n2\n3\n");
}

static void test_gone_with_the_step(void **state)
{
	struct xb_resources resources = { .pids = 100 };
	xb_auto_cgroups struct xb_cgroups *cgroups = real_groups(&resources);
	struct xb_cgroup *cgroup = NULL;
	xb_auto_strv struct xb_strv paths = XB_STRV_INIT;
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(xb_cgroup_new(cgroups, &cgroup, &s.err), 0);
	xb_cgroup_paths(cgroup, &paths);
	assert_true(paths.len > 0);
	assert_int_equal(access(paths.items[0], F_OK), 0);
	assert_int_equal(step_in_group(&s, cgroup, "sleep 100 & true"), 0);
	xb_cgroup_free(cgroup);
	for (size_t i = 0; i < paths.len; i++)
		assert_int_equal(access(paths.items[i], F_OK), -1);
}

static void test_values_that_the_kernel_refuses(void **state)
{
	struct xb_resources resources = { .pids = 100 };
	xb_auto_cgroups struct xb_cgroups *cgroups = real_groups(&resources);
	xb_auto_cgroups struct xb_cgroups *others = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	char set[] = "8000";

	(void)state;
	resources = (struct xb_resources){ .cpuset_cpus = set };
	assert_true(xb_cgroups_open(NULL, &resources, NULL, &others, &err) < 0);
	if (err.fault != XB_FAULT_PLATFORM) { /* no cpuset for us */
		assert_int_equal(err.fault, XB_FAULT_USAGE);
		assert_non_null(strstr(err.message, "setting cpuset.cpus to 8000"));
	}
	resources = (struct xb_resources){ 0 };
}

#define scratch_test(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		scratch_test(test_v2_own_group_that_passes_controllers_down),
		scratch_test(test_v2_controllers_are_enabled_on_the_way),
		scratch_test(test_v2_without_the_controller),
		scratch_test(test_no_group_that_is_writable),
		scratch_test(test_v2_controller_that_was_not_delegated),
		scratch_test(test_parents_that_lead_out),
		scratch_test(test_what_others_have_left),
		scratch_test(test_memory),
		scratch_test(test_processes),
		scratch_test(test_nothing_of_it_is_seen),
		scratch_test(test_gone_with_the_step),
		scratch_test(test_values_that_the_kernel_refuses),
	};

	return cmocka_run_group_tests(tests, step_group_setup, step_group_teardown);
}
