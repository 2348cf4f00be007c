/* SPDX-License-Identifier: Apache-2.0 */
/* What a step cannot reach. Needs user namespaces, as root or as a user with subordinate ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "tests/unit/builder/sandbox/step.h"

static void test_capabilities(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	step_need_ids();
	assert_int_equal(step_sh(&s, "grep ^Cap /proc/self/status"), 0);
	step_said(&s, "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\n"
		      "CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n"
		      "CapAmb:\t0000000000000000\n");
	step_user(&s, "1000:1000");
	assert_int_equal(step_sh(&s, "grep ^Cap /proc/self/status"), 0);
	step_said(&s, "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
		      "CapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\n"
		      "CapAmb:\t0000000000000000\n");
}

static void test_privileges_and_filter(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	step_need_ids();
	for (int i = 0; i < 2; i++) {
		/* setuid programs must work, so no_new_privs stays off, as Docker has it */
		assert_int_equal(step_sh(&s, "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status"),
				 0);
		step_said(&s, "NoNewPrivs:\t0\nSeccomp:\t2\n");
		step_user(&s, "1000");
	}
}

static void test_descriptors(void **state)
{
	auto_step struct step s;
	int leak = open("/", O_RDONLY | O_DIRECTORY); /* as a library might leave one */

	(void)state;
	step_init(&s);
	step_argv(&s, (const char *[]){ "ls", "/proc/self/fd", NULL });
	assert_int_equal(step_run(&s), 0);
	step_said(&s, "0\n1\n2\n3\n"); /* 3 is the directory that ls reads */
	assert_int_equal(step_sh(&s, "ls -l /proc/1/fd; ls /proc/1/root/ /proc/1/cwd/"), 1);
	assert_false(step_says(&s, "->"));
	assert_true(step_says(&s, "Permission denied"));
	(void)close(leak);
}

static void test_environment(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(setenv("XB_TEST_SECRET", "x", 1), 0);
	step_argv(&s, (const char *[]){ "env", NULL });
	assert_int_equal(step_run(&s), 0);
	step_said(&s, "PATH=/bin\nHOME=/root\n");
	assert_int_equal(step_sh(&s, "cat /proc/1/environ"), 1);
	xb_strv_push(&s.spec.env, "HOME=/else");
	step_argv(&s, (const char *[]){ "env", NULL });
	assert_int_equal(step_run(&s), 0);
	step_said(&s, "PATH=/bin\nHOME=/else\n");
}

/* CVE-2019-5736: the runtime's own program, written through /proc. */
static void test_init_cannot_be_overwritten(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(step_sh(&s,
					 "for p in /proc/[0-9]* /proc/self; do "
					 "if (echo x > $p/exe) 2>/dev/null; then echo $p; fi; "
					 "if (echo x > $p/map_files/x) 2>/dev/null; then echo $p; "
					 "fi; done; true"),
				 0);
		step_said(&s, "");
		s.spec.private_userns = true;
	}
}

static void test_masked_paths(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(
		step_sh(&s, "cd /proc; for f in interrupts kcore keys latency_stats sched_debug "
			    "timer_list timer_stats; do if [ -e $f ]; then head -c1 $f; fi; done; "
			    "for d in acpi asound scsi /sys/firmware /sys/devices/virtual/powercap "
			    "/sys/fs/cgroup /sys/kernel/debug /sys/kernel/tracing; do "
			    "if [ -e $d ]; then ls -A $d; fi; done"),
		0);
	step_said(&s, "");
}

static void test_read_only_paths(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(
		step_sh(&s, "for f in /proc/sys/kernel/hostname /proc/sys/kernel/core_pattern "
			    "/proc/sysrq-trigger /proc/irq/default_smp_affinity "
			    "/sys/kernel/mm/ksm/run /sys/fs/cgroup/x; do "
			    "if (echo 0 > $f) 2>/dev/null; then echo wrote $f; fi; done; "
			    "for d in bus fs irq sys; do "
			    "if mkdir /proc/$d/x 2>/dev/null; then echo made $d; fi; done; true"),
		0);
	step_said(&s, "");
	assert_int_equal(step_sh(&s, "echo 0 > /proc/sys/kernel/hostname"), 1);
	assert_true(step_says(&s, "Read-only file system"));
}

static void test_namespaces_and_mounts_are_refused(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(step_sh(&s, "unshare -U true"), 1);
		assert_int_equal(step_sh(&s, "unshare -m true"), 1);
		assert_int_equal(step_sh(&s, "mount -t tmpfs none /bin"), 1);
		assert_int_equal(step_sh(&s, "mount -o remount,rw /proc/sys"), 1);
		assert_int_equal(step_sh(&s, "umount /proc/sys"), 1);
		s.spec.private_userns = true;
	}
}

static void test_root_is_the_root(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(step_sh(&s, "cd /; pwd; ls /..; readlink /proc/self/cwd"), 0);
	step_said(&s, "/\nbin\ndev\nproc\nsys\n/\n");
	/* only mounts of its own: all below its own root */
	assert_int_equal(step_sh(&s, "grep -c ' / / ' /proc/self/mountinfo"), 0);
	step_said(&s, "1\n");
}

static void set_cwd(struct step *s, const char *cwd)
{
	free(s->spec.cwd);
	s->spec.cwd = xb_strdup(cwd);
}

static void test_cwd(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(mkdir(scratch_path("root/work"), 0755), 0);
	assert_int_equal(symlink("/work", scratch_path("root/link")), 0);
	set_cwd(&s, "/link");
	assert_int_equal(step_sh(&s, "pwd -P"), 0);
	step_said(&s, "/work\n");
	assert_int_equal(mknod(scratch_path("root/file"), S_IFREG | 0644, 0), 0);
	set_cwd(&s, "/file");
	step_failed(&s, step_run(&s), -ENOTDIR, "working directory: /file");
	assert_int_equal(s.err.fault, XB_FAULT_STEP);
}

/* An image's config may name a directory that none of its layers has; a link leads nowhere else. */
static void test_cwd_is_made(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(symlink("/tmp/../../../away", scratch_path("root/out")), 0);
	s.spec.user = xb_strdup("12:34");
	set_cwd(&s, "/out/missing/deep");
	assert_int_equal(step_sh(&s, "pwd -P; stat -c %u:%g:%a . .."), 0);
	step_said(&s, "/away/missing/deep\n12:34:755\n12:34:755\n");
	assert_int_equal(access("/away", F_OK), -1);
}

/* CVE-2024-21626: a working directory by way of a descriptor of the runtime. */
static void test_cwd_through_proc_does_not_leave(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	for (int fd = 0; fd < 30; fd++) {
		xb_autofree char *own = xb_format("/proc/self/fd/%d", fd);
		xb_autofree char *above = xb_format("/proc/1/fd/%d/..", fd);

		set_cwd(&s, own);
		step_argv(&s, (const char *[]){ "pwd", NULL });
		assert_true(step_run(&s) < 0);
		set_cwd(&s, above);
		assert_true(step_run(&s) < 0);
	}
	set_cwd(&s, "/proc/self/root/bin");
	assert_true(step_run(&s) < 0);
}

static void test_network_none(void **state)
{
	auto_step struct step s;
	xb_auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)state;
	step_init(&s);
	(void)snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "xb-test-%d", getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	s.spec.network = XB_SANDBOX_NET_NONE;
	assert_int_equal(step_sh(&s, "cat /proc/net/dev | grep -c :; grep -c xb-test- "
				     "/proc/net/unix; ls /sys/class/net"),
			 0);
	step_said(&s, "1\n0\nlo\n");
}

static void test_devices(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(step_sh(&s, "echo gone > /dev/null; echo more >> /dev/null; "
				     "head -c2 /dev/zero | wc -c; head -c3 /dev/urandom | wc -c; "
				     "echo x > /dev/full; echo > /dev/shm/x; "
				     "chmod 0 /dev/null || echo kept"),
			 0);
	assert_true(step_says(&s, "2\n3\n"));
	assert_true(step_says(&s, "No space left on device"));
	assert_true(step_says(&s, "kept"));
	assert_int_equal(step_sh(&s, "readlink /dev/fd /dev/stdin /dev/ptmx; stat -c %a:%F "
				     "/dev/shm /dev/mqueue /dev/pts/ptmx"),
			 0);
	assert_int_equal(access("/dev/null", W_OK), 0);
}

/* A node that a step makes, or an image brings, is not a way to the machine's devices. */
static void test_nodes_do_not_work(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	need("root", mknod(scratch_path("root/zero"), S_IFCHR | 0666, makedev(1, 5)) == 0);
	assert_int_equal(step_sh(&s, "head -c1 /zero"), 1);
	assert_true(step_says(&s, "Permission denied"));
	assert_int_equal(step_sh(&s, "mknod /n c 1 5 && stat -c %t:%T /n && head -c1 /n"), 1);
	assert_true(step_says(&s, "1:5\n"));
	assert_true(step_says(&s, "Permission denied"));
	assert_int_equal(step_sh(&s, "mknod /dev/n c 1 5 && head -c1 /dev/n"), 1);
	assert_true(step_says(&s, "Permission denied"));
}

static void test_limits_umask_hostname(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	*xb_array_push(&s.spec.rlimits) = (struct xb_sandbox_rlimit){ RLIMIT_NOFILE, 77, 77 };
	assert_int_equal(
		step_sh(&s, "ulimit -n; umask; hostname; ps >/dev/shm/ps; wc -l </dev/shm/ps"), 0);
	step_said(&s, "77\n0022\nxbuild\n4\n");
}

static void test_groups_of_the_builder_do_not_leak(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	step_need_ids();
	assert_int_equal(step_sh(&s, "id; grep Groups /proc/self/status"), 0);
	step_said(&s, "uid=0 gid=0 groups=0\nGroups:\t0 \n");
}

/* The program of the image's own directory that the calls below run in: this one. */
static int probe(const char *what)
{
	if (strcmp(what, "keyctl") == 0)
		return syscall(SYS_keyctl, 0, 0, 0) < 0 ? errno : 0;
	if (strcmp(what, "bpf") == 0)
		return syscall(SYS_bpf, 0, NULL, 0) < 0 ? errno : 0;
	if (strcmp(what, "clone3") == 0)
		return syscall(SYS_clone3, NULL, 0) < 0 ? errno : 0;
	if (strcmp(what, "unknown") == 0)
		return syscall(1000) < 0 ? errno : 0;
	if (strcmp(what, "tiocsti") == 0)
		return syscall(SYS_ioctl, 0, UINT64_C(0xdead00000000) | TIOCSTI, "x") < 0 ? errno
											  : 0;
	if (strcmp(what, "vsock") == 0)
		return socket(40, SOCK_STREAM, 0) < 0 ? errno : 0;
	if (strcmp(what, "fchmodat2") == 0) /* allowed: EBADF is the kernel's own answer */
		return syscall(452, -1, "x", 0, 0) < 0 ? errno : 0;
	return 255;
}

static void test_calls_are_refused(void **state)
{
	static const struct {
		const char *what;
		int error;
	} rows[] = { { "keyctl", EPERM },   { "bpf", EPERM },	  { "clone3", ENOSYS },
		     { "unknown", ENOSYS }, { "tiocsti", EPERM }, { "vsock", EPERM },
		     { "fchmodat2", EBADF } };
	auto_step struct step s;

	(void)state;
	step_init(&s);
	step_add_self(&s);
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		step_argv(&s, (const char *[]){ "/probe", "probe", rows[i].what, NULL });
		if (step_run(&s) < 0)
			fail_msg("%s", s.err.message);
		if (s.result.exit_code != rows[i].error)
			fail_msg("%s: %d, not %d\n%s", rows[i].what, s.result.exit_code,
				 rows[i].error, xb_str_text(&s.output));
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_capabilities),
		TEST(test_privileges_and_filter),
		TEST(test_descriptors),
		TEST(test_environment),
		TEST(test_init_cannot_be_overwritten),
		TEST(test_masked_paths),
		TEST(test_read_only_paths),
		TEST(test_namespaces_and_mounts_are_refused),
		TEST(test_root_is_the_root),
		TEST(test_cwd),
		TEST(test_cwd_is_made),
		TEST(test_cwd_through_proc_does_not_leave),
		TEST(test_network_none),
		TEST(test_devices),
		TEST(test_nodes_do_not_work),
		TEST(test_limits_umask_hostname),
		TEST(test_groups_of_the_builder_do_not_leak),
		TEST(test_calls_are_refused),
	};

	if (argc == 3 && strcmp(argv[1], "probe") == 0)
		return probe(argv[2]);
	return step_run_both(tests);
}
