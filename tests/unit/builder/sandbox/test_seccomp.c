/* SPDX-License-Identifier: Apache-2.0 */
/* The filter's answers, found by running it as the kernel would, on made-up calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "builder/sandbox/sandbox.h"
#include "builder/sandbox/seccomp.h"
#include "tests/unit/need.h"

enum { ALLOWED = 0, KILLED = -1, STUCK = -2 };

/* How often the library was asked to make one. */
static unsigned filters_made;

/* Instead of the library's. */
scmp_filter_ctx seccomp_init(uint32_t otherwise)
{
	scmp_filter_ctx (*init)(uint32_t) =
		(scmp_filter_ctx(*)(uint32_t))dlsym(RTLD_NEXT, "seccomp_init");

	filters_made++;
	return init(otherwise);
}

static uint32_t field(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t value = 0;

	assert_true(offset + sizeof(value) <= sizeof(*data));
	memcpy(&value, (const char *)data + offset, sizeof(value));
	return value;
}

static size_t jump(const struct sock_filter *i, uint32_t a)
{
	bool taken = false;

	switch (BPF_OP(i->code)) {
	case BPF_JA:
		return i->k;
	case BPF_JEQ:
		taken = a == i->k;
		break;
	case BPF_JGT:
		taken = a > i->k;
		break;
	case BPF_JGE:
		taken = a >= i->k;
		break;
	case BPF_JSET:
		taken = (a & i->k) != 0;
		break;
	default:
		fail_msg("a jump of kind %x", i->code);
	}
	return taken ? i->jt : i->jf;
}

/* The action for a call: ALLOWED, an errno, or KILLED. */
static int filter(const struct xb_sandbox_spec *spec, const struct seccomp_data *data)
{
	size_t count = spec->seccomp.len / sizeof(struct sock_filter);
	uint32_t a = 0;

	for (size_t at = 0; at < count; at++) {
		struct sock_filter i;

		memcpy(&i, spec->seccomp.data + at * sizeof(i), sizeof(i));
		if (BPF_CLASS(i.code) == BPF_LD)
			a = field(data, i.k);
		else if (BPF_CLASS(i.code) == BPF_ALU)
			a &= i.k;
		else if (BPF_CLASS(i.code) == BPF_JMP)
			at += jump(&i, a);
		else if (BPF_CLASS(i.code) != BPF_RET)
			fail_msg("an instruction %x", i.code);
		else if (i.k == SECCOMP_RET_ALLOW)
			return ALLOWED;
		else
			return (i.k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO
				       ? (int)(i.k & SECCOMP_RET_DATA)
				       : KILLED;
	}
	return STUCK;
}

static int answer(const struct xb_sandbox_spec *spec, uint32_t arch, int nr, uint64_t arg0,
		  uint64_t arg1)
{
	struct seccomp_data data = { .nr = nr, .arch = arch, .args = { arg0, arg1 } };

	return filter(spec, &data);
}

static int answer_name(const struct xb_sandbox_spec *spec, const char *name, uint64_t arg0,
		       uint64_t arg1)
{
	return answer(spec, seccomp_arch_native(), seccomp_syscall_resolve_name(name), arg0, arg1);
}

static void make(struct xb_sandbox_spec *spec, uint64_t capabilities)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	xb_sandbox_spec_init(spec);
	spec->capabilities = capabilities;
	if (xb_sandbox_default_seccomp(spec, &err) < 0)
		fail_msg("%s", err.message);
	assert_true(spec->seccomp.len > 0 && spec->seccomp.len % sizeof(struct sock_filter) == 0);
	assert_true(spec->seccomp.len / sizeof(struct sock_filter) <= BPF_MAXINSNS);
}

static void test_calls_of_every_program(void **state)
{
	static const char *const names[] = { "read",	"write",   "openat", "execve",	  "mmap",
					     "futex",	"clone",   "wait4",  "statx",	  "chroot",
					     "mknodat", "ptrace",  "prctl",  "setresuid", "capset",
					     "seccomp", "openat2", "rseq",   "setxattr" };
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;

	(void)state;
	make(&spec, XB_SANDBOX_CAPABILITIES);
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		if (answer_name(&spec, names[i], 0, 0) != ALLOWED)
			fail_msg("%s is refused", names[i]);
	}
}

static void test_calls_that_no_step_may_make(void **state)
{
	static const char *const names[] = {
		"mount",
		"umount2",
		"pivot_root",
		"unshare",
		"setns",
		"keyctl",
		"add_key",
		"request_key",
		"bpf",
		"perf_event_open",
		"init_module",
		"finit_module",
		"delete_module",
		"kexec_load",
		"reboot",
		"swapon",
		"open_by_handle_at",
		"userfaultfd",
		"fsopen",
		"fsmount",
		"move_mount",
		"open_tree",
		"mount_setattr",
		"settimeofday",
		"clock_settime",
		"sethostname",
		"syslog",
		"quotactl",
		"acct",
		"io_uring_setup",
		"kcmp",
		"move_pages",
		"vhangup",
		"lookup_dcookie",
	};
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;

	(void)state;
	make(&spec, XB_SANDBOX_CAPABILITIES);
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		int number = seccomp_syscall_resolve_name(names[i]);

		if (number >= 0 && answer_name(&spec, names[i], 0, 0) != EPERM)
			fail_msg("%s is not refused", names[i]);
	}
}

static void test_namespaces(void **state)
{
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;

	(void)state;
	make(&spec, XB_SANDBOX_CAPABILITIES);
	assert_int_equal(answer_name(&spec, "clone", SIGCHLD, 0), ALLOWED);
	assert_int_equal(answer_name(&spec, "clone", CLONE_VM | CLONE_VFORK, 0), ALLOWED);
	assert_int_equal(answer_name(&spec, "clone", CLONE_NEWUSER, 0), EPERM);
	assert_int_equal(answer_name(&spec, "clone", CLONE_NEWNS | SIGCHLD, 0), EPERM);
	assert_int_equal(answer_name(&spec, "clone", CLONE_NEWCGROUP, 0), EPERM);
	assert_int_equal(answer_name(&spec, "clone3", 0, 0), ENOSYS);
}

static void test_arguments(void **state)
{
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;

	(void)state;
	make(&spec, XB_SANDBOX_CAPABILITIES);
	assert_int_equal(answer_name(&spec, "socket", AF_INET, 0), ALLOWED);
	assert_int_equal(answer_name(&spec, "socket", AF_UNIX, 0), ALLOWED);
	assert_int_equal(answer_name(&spec, "socket", 38, 0), EPERM);
	assert_int_equal(answer_name(&spec, "socket", 40, 0), EPERM);
	assert_int_equal(answer_name(&spec, "personality", 0, 0), ALLOWED);
	assert_int_equal(answer_name(&spec, "personality", 0xffffffff, 0), ALLOWED);
	assert_int_equal(answer_name(&spec, "personality", 0x0040000, 0), EPERM);
}

static void test_terminal_input_cannot_be_faked(void **state)
{
	const uint64_t high = UINT64_C(0xffffffff00000000);
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;

	(void)state;
	make(&spec, XB_SANDBOX_CAPABILITIES);
	assert_int_equal(answer_name(&spec, "ioctl", 0, TCGETS), ALLOWED);
	assert_int_equal(answer_name(&spec, "ioctl", 0, high | TCGETS), ALLOWED);
	assert_int_equal(answer_name(&spec, "ioctl", 0, TIOCSTI), EPERM);
	assert_int_equal(answer_name(&spec, "ioctl", 0, high | TIOCSTI), EPERM);
	assert_int_equal(answer_name(&spec, "ioctl", 0, TIOCLINUX), EPERM);
}

/* Numbers above 450 are the same everywhere; what libseccomp does not know is ours to know. */
static void test_new_calls(void **state)
{
	static const int allowed[] = { 451, 452, 453, 454, 457, 462, 463, 466 };
	uint32_t arch = seccomp_arch_native();
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;

	(void)state;
	make(&spec, XB_SANDBOX_CAPABILITIES);
	for (size_t i = 0; i < XB_COUNT(allowed); i++)
		assert_int_equal(answer(&spec, arch, allowed[i], 0, 0), ALLOWED);
	assert_int_equal(answer(&spec, arch, 459, 0, 0), EPERM); /* lsm_get_self_attr */
	assert_int_equal(answer(&spec, arch, 467, 0, 0), ENOSYS);
	assert_int_equal(answer(&spec, arch, 1 << 20, 0, 0), ENOSYS);
}

static void test_the_other_modes_of_amd64(void **state)
{
	const int x32 = 0x40000000;
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;

	(void)state;
	need("amd64", seccomp_arch_native() == SCMP_ARCH_X86_64);
	make(&spec, XB_SANDBOX_CAPABILITIES);
	assert_int_equal(answer(&spec, AUDIT_ARCH_I386, 3, 0, 0), ALLOWED); /* read */
	assert_int_equal(answer(&spec, AUDIT_ARCH_I386, 21, 0, 0), EPERM);  /* mount */
	assert_int_equal(answer(&spec, AUDIT_ARCH_I386, 288, 0, 0), EPERM); /* keyctl */
	assert_int_equal(answer(&spec, AUDIT_ARCH_I386, 120, CLONE_NEWUSER, 0), EPERM);
	assert_int_equal(answer(&spec, AUDIT_ARCH_I386, 54, 0, TIOCSTI), EPERM);
	assert_int_equal(answer(&spec, AUDIT_ARCH_I386, 452, 0, 0), ALLOWED);
	assert_int_equal(answer(&spec, AUDIT_ARCH_X86_64, x32 | 0, 0, 0), ALLOWED); /* read */
	assert_int_equal(answer(&spec, AUDIT_ARCH_X86_64, x32 | 165, 0, 0), EPERM); /* mount */
	assert_int_equal(answer(&spec, AUDIT_ARCH_X86_64, x32 | 514, 0, TIOCSTI), EPERM);
	assert_int_equal(answer(&spec, AUDIT_ARCH_X86_64, x32 | 452, 0, 0), ALLOWED);
	assert_int_equal(answer(&spec, AUDIT_ARCH_AARCH64, 63, 0, 0), KILLED);
}

static void test_capabilities_open_calls(void **state)
{
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;

	(void)state;
	make(&spec, XB_SANDBOX_CAPABILITIES | UINT64_C(1) << CAP_SYS_ADMIN);
	assert_int_equal(answer_name(&spec, "mount", 0, 0), ALLOWED);
	assert_int_equal(answer_name(&spec, "clone", CLONE_NEWUSER, 0), ALLOWED);
	assert_int_equal(answer_name(&spec, "reboot", 0, 0), EPERM);
	xb_sandbox_spec_clear(&spec);
	make(&spec, 0);
	assert_int_equal(answer_name(&spec, "chroot", 0, 0), EPERM);
	assert_int_equal(answer_name(&spec, "read", 0, 0), ALLOWED);
}

/* It is made once a process and set of capabilities, not once a step. */
static void test_made_again_is_the_same_and_cheap(void **state)
{
	/* not those that xbuild carries a filter for */
	const uint64_t capabilities = XB_SANDBOX_CAPABILITIES & ~UINT64_C(1);
	xb_auto_sandbox_spec struct xb_sandbox_spec first;
	unsigned before = filters_made;

	(void)state;
	make(&first, capabilities);
	for (int i = 0; i < 100; i++) {
		xb_auto_sandbox_spec struct xb_sandbox_spec again;

		make(&again, capabilities);
		assert_true(xb_view_eq(xb_str_view(&first.seccomp), xb_str_view(&again.seccomp)));
	}
	assert_int_equal(filters_made, before + 1);
}

extern const char xb_seccomp_image[], xb_seccomp_image_end[];

/* What is carried inside xbuild is what this machine's libseccomp makes. */
static void test_the_filter_made_when_xbuild_was_built(void **state)
{
	xb_auto_str struct xb_str made = XB_STR_INIT(XB_MAX_SANDBOX_SPEC);
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;

	(void)state;
	make(&spec, XB_SANDBOX_CAPABILITIES);
	assert_int_equal(xb_seccomp_compile(XB_SANDBOX_CAPABILITIES, &made, NULL), 0);
	assert_int_equal(spec.seccomp.len, made.len);
	assert_memory_equal(spec.seccomp.data, made.data, made.len);
	assert_int_equal((uintptr_t)xb_seccomp_image_end - (uintptr_t)xb_seccomp_image, made.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_of_every_program),
		cmocka_unit_test(test_calls_that_no_step_may_make),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_terminal_input_cannot_be_faked),
		cmocka_unit_test(test_new_calls),
		cmocka_unit_test(test_the_other_modes_of_amd64),
		cmocka_unit_test(test_capabilities_open_calls),
		cmocka_unit_test(test_made_again_is_the_same_and_cheap),
		cmocka_unit_test(test_the_filter_made_when_xbuild_was_built),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
