/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of other architectures, and what a nested user namespace changes. Needs user namespaces
 * (as root or with subordinate ids), Linux 6.7 for the emulated ones, and static qemu-user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <linux/capability.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "emulation/binfmt.h"
#include "platforms/arch.h"
#include "platforms/platform.h"
#include "platforms/tiny.h"
#include "tests/unit/builder/sandbox/step.h"

/* The machine's own registrations; "" where it has none mounted. */
static char *machine_binfmt(void)
{
	DIR *dir = opendir("/proc/sys/fs/binfmt_misc");
	xb_auto_str struct xb_str names = XB_STR_INIT(XB_STR_OWN);
	struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		xb_str_printf(&names, "%s\n", e->d_name);
	if (dir != NULL)
		(void)closedir(dir);
	return xb_str_steal(&names);
}

/* Put the tiny program of `name` at /tiny and register its emulator; false where there is none. */
static bool prepare(struct step *s, const char *name)
{
	const struct xb_tiny *code = xb_tiny_find(name);
	xb_autofree char *emulator = NULL;
	xb_auto_str struct xb_str line = XB_STR_INIT(XB_STR_OWN);
	struct xb_platform platform = { 0 };
	const struct xb_arch *arch;
	unsigned char file[XB_TINY_SIZE];
	xb_auto_fd int fd = -1;

	assert_non_null(code);
	assert_int_equal(xb_platform_parse(xb_view(name), NULL, &platform, NULL), 0);
	arch = xb_arch_of_platform(&platform);
	emulator = xb_format("/usr/bin/qemu-%s-static", arch->qemu);
	if (access(emulator, X_OK) < 0)
		return false;
	assert_int_equal(xb_binfmt_line(arch, "emulator", emulator, &line, NULL), 0);
	xb_strv_clear(&s->spec.binfmt);
	xb_strv_push(&s->spec.binfmt, xb_str_text(&line));
	s->spec.private_userns = true;
	xb_tiny_make(code, arch, file);
	(void)unlink(scratch_path("root/tiny"));
	fd = open(scratch_path("root/tiny"), O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(xb_write_all(fd, file, sizeof(file), NULL), 0);
	return true;
}

static void test_every_architecture(void **state)
{
	xb_autofree char *before = machine_binfmt();
	xb_autofree char *after = NULL;
	size_t ran = 0;

	(void)state;
	for (size_t i = 0; i < XB_TINY_COUNT; i++) {
		auto_step struct step s;
		char name[XB_TINY_NAME + 1];

		step_init(&s);
		step_need_ids();
		if (strcmp(xb_tiny_table[i].platform, "linux/amd64") == 0 ||
		    !prepare(&s, xb_tiny_table[i].platform))
			continue;
		xb_tiny_name(&xb_tiny_table[i], name);
		step_argv(&s, (const char *[]){ "/tiny", NULL });
		if (step_run(&s) < 0)
			fail_msg("%s: %s", xb_tiny_table[i].platform, s.err.message);
		assert_int_equal(s.result.exit_code, XB_TINY_STATUS);
		step_said(&s, name);
		/* started by another program of the step, as a user without rights */
		step_user(&s, "1000:1000");
		assert_int_equal(step_sh(&s, "/tiny"), XB_TINY_STATUS);
		step_said(&s, name);
		ran++;
	}
	need("emulators", ran > 0);
	after = machine_binfmt();
	assert_string_equal(before, after);
}

static const char *foreign(void)
{
#ifdef __aarch64__
	return "linux/riscv64";
#else
	return "linux/arm64";
#endif
}

static void test_without_a_registration_it_is_an_error(void **state)
{
	auto_step struct step s;
	xb_autofree char *machine = NULL;

	(void)state;
	step_init(&s);
	need("emulators", prepare(&s, foreign()));
	machine = machine_binfmt();
	need("a machine without emulators", machine[0] == '\0' || strstr(machine, "qemu") == NULL);
	xb_strv_clear(&s.spec.binfmt);
	for (int i = 0; i < 2; i++) {
		step_argv(&s, (const char *[]){ "/tiny", NULL });
		step_failed(&s, step_run(&s), -ENOEXEC, "exec format error");
		assert_non_null(strstr(s.err.hint, "another platform"));
		s.spec.private_userns = false;
	}
}

static void test_bad_registrations(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	need("emulators", prepare(&s, foreign()));
	step_argv(&s, (const char *[]){ "/tiny", NULL });
	xb_strv_push(&s.spec.binfmt, ":nowhere:M::abc::/nowhere/qemu:POCF");
	step_failed(&s, step_run(&s), -ENOENT, "nowhere");
	assert_int_equal(s.err.fault, XB_FAULT_PLATFORM);
	xb_strv_remove(&s.spec.binfmt, 1);
	xb_strv_push(&s.spec.binfmt, "garbage");
	assert_true(step_run(&s) < 0);
}

/* The walls stand outside the emulator: it runs under the step's filter and capabilities. */
static void test_walls_of_an_emulated_step(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	need("emulators", prepare(&s, foreign()));
	assert_int_equal(step_sh(&s, "grep -E '^(CapBnd|CapEff|CapInh|Seccomp):' /proc/self/status;"
				     "unshare -U true 2>/dev/null || echo refused;"
				     "ls /proc/1/fd; ls -A /proc/sys/fs/binfmt_misc"),
			 0);
	step_said(&s, "CapInh:\t0000000000000000\nCapEff:\t00000000a80425fb\n"
		      "CapBnd:\t00000000a80425fb\nSeccomp:\t2\nrefused\n3\n4\n");
}

/* In a nested user namespace the ids are those of the builder. */
static void test_ids_in_a_nested_namespace(void **state)
{
	auto_step struct step s;
	struct stat st;

	(void)state;
	step_init(&s);
	step_need_ids();
	s.spec.private_userns = true;
	assert_int_equal(step_sh(&s, "touch /x; chown 1000:2000 /x; chmod 6755 /x; mkdir /d; "
				     "chmod 1777 /d; touch /root-file; rm -r /bin"),
			 0);
	assert_int_equal(lstat(scratch_path("fs/x"), &st), 0);
	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(st.st_gid, 2000);
	assert_int_equal(st.st_mode, S_IFREG | 06755);
	assert_int_equal(lstat(scratch_path("fs/root-file"), &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(lstat(scratch_path("fs/bin"), &st), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
}

static void test_nodes(void **state)
{
	auto_step struct step s;
	struct stat st;
	bool may = mknod(scratch_path("node"), S_IFCHR | 0600, makedev(7, 7)) == 0;

	(void)state;
	step_init(&s);
	/* real root's native step makes nodes; nobody else's does */
	assert_int_equal(step_sh(&s, "mknod /n c 5 2"), may ? 0 : 1);
	assert_int_equal(lstat(scratch_path("fs/n"), &st), may ? 0 : -1);
	s.spec.private_userns = true;
	assert_int_equal(step_sh(&s, "mknod /m c 5 2"), 1);
	assert_true(step_says(&s, "Operation not permitted"));
}

static int set_capability(const char *path)
{
	struct vfs_cap_data cap = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE };

	cap.data[0].permitted = 1 << CAP_NET_BIND_SERVICE;
	return setxattr(path, "security.capability", &cap, sizeof(cap), 0) < 0 ? errno : 0;
}

/* What a step writes as version 2 reads back so in the builder, whatever the namespaces. */
static void test_file_capabilities(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	step_add_self(&s);
	scratch_write("root/tool", "");
	for (int i = 0; i < 2; i++) {
		struct vfs_cap_data cap = { 0 };

		step_argv(&s, (const char *[]){ "/probe", "setcap", "/tool", NULL });
		if (step_run(&s) < 0)
			fail_msg("%s", s.err.message);
		assert_int_equal(s.result.exit_code, 0);
		assert_int_equal(
			getxattr(scratch_path("fs/tool"), "security.capability", &cap, sizeof(cap)),
			XATTR_CAPS_SZ_2);
		assert_int_equal(cap.magic_etc & VFS_CAP_REVISION_MASK, VFS_CAP_REVISION_2);
		assert_int_equal(cap.data[0].permitted, 1 << CAP_NET_BIND_SERVICE);
		assert_int_equal(unlink(scratch_path("fs/tool")), 0);
		s.spec.private_userns = true;
	}
}

static void test_network_none_in_a_nested_namespace(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	s.spec.private_userns = true;
	s.spec.network = XB_SANDBOX_NET_NONE;
	assert_int_equal(step_sh(&s, "grep -c : /proc/net/dev; ls /sys/class/net"), 0);
	step_said(&s, "1\nlo\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_architecture),
		TEST(test_without_a_registration_it_is_an_error),
		TEST(test_bad_registrations),
		TEST(test_walls_of_an_emulated_step),
		TEST(test_ids_in_a_nested_namespace),
		TEST(test_nodes),
		TEST(test_file_capabilities),
		TEST(test_network_none_in_a_nested_namespace),
	};

	if (argc == 3 && strcmp(argv[1], "setcap") == 0)
		return set_capability(argv[2]);
	return step_run_both(tests);
}
