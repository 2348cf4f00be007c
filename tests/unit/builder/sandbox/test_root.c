/* SPDX-License-Identifier: Apache-2.0 */
/* What a step sees and what it leaves. Needs user namespaces, as root or as a user with
 * subordinate ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/overlay.h"
#include "tests/unit/builder/sandbox/step.h"

static struct xb_sandbox_mount *add_file(struct step *s, const char *target, const char *text)
{
	struct xb_sandbox_mount *m = xb_sandbox_spec_mount(&s->spec, XB_SANDBOX_FILE, target);

	xb_str_puts(&m->content, text);
	return m;
}

static void make_dirs(const char *const *names)
{
	for (size_t i = 0; names[i] != NULL; i++)
		assert_int_equal(mkdir(scratch_path(names[i]), 0755), 0);
}

static void test_changes_go_to_the_upper_directory(void **state)
{
	auto_step struct step s;
	struct stat st;

	(void)state;
	step_init(&s);
	step_need_ids();
	assert_int_equal(step_sh(&s, "echo new > /new; rm /bin/wc; chmod 4755 /new; "
				     "chown 12:34 /new; ln /new /hard"),
			 0);
	assert_int_equal(lstat(scratch_path("fs/new"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0755);
	assert_int_equal(st.st_uid, 12);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(lstat(scratch_path("fs/bin/wc"), &st), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
}

static void test_nothing_of_the_mounts_stays(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	add_file(&s, "/etc/hosts", "hosts\n");
	add_file(&s, "/etc/resolv.conf", "resolv\n");
	add_file(&s, "/deep/er/than/this", "deep\n");
	xb_sandbox_spec_mount(&s.spec, XB_SANDBOX_TMPFS, "/run/cache");
	assert_int_equal(step_sh(&s, "cat /etc/hosts /etc/resolv.conf /deep/er/than/this; "
				     "echo x > /run/cache/x; echo x > /dev/x; ls /"),
			 0);
	step_said(&s, "hosts\nresolv\ndeep\nbin\ndeep\ndev\netc\nproc\nrun\nsys\n");
	assert_int_equal(step_changes(), 0);
}

/* The directory that only exists because of a mount point becomes real when the step uses it. */
static void test_a_stub_directory_can_be_used(void **state)
{
	auto_step struct step s;
	struct stat st;

	(void)state;
	step_init(&s);
	add_file(&s, "/etc/hosts", "hosts\n");
	assert_int_equal(step_sh(&s, "echo x > /etc/x"), 0);
	assert_int_equal(step_changes(), 1);
	assert_int_equal(lstat(scratch_path("fs/etc"), &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	assert_int_equal(lstat(scratch_path("fs/etc/hosts"), &st), -1);
	assert_int_equal(getxattr(scratch_path("fs/etc"), "user.overlay.opaque", NULL, 0), -1);
}

static void test_files_of_the_image_are_covered_not_changed(void **state)
{
	auto_step struct step s;
	xb_autofree char *text = NULL;

	(void)state;
	step_init(&s);
	make_dirs((const char *[]){ "root/etc", NULL });
	scratch_write("root/etc/hosts", "of the image\n");
	add_file(&s, "/etc/hosts", "of the step\n")->read_only = true;
	assert_int_equal(step_sh(&s, "cat /etc/hosts; echo x > /etc/hosts"), 1);
	assert_true(step_says(&s, "of the step\n"));
	assert_true(step_says(&s, "Read-only file system"));
	text = step_read(scratch_path("root/etc/hosts"));
	assert_string_equal(text, "of the image\n");
	assert_int_equal(step_changes(), 0);
}

static void test_dangling_link_as_target(void **state)
{
	auto_step struct step s;
	char target[64] = "";

	(void)state;
	step_init(&s);
	make_dirs((const char *[]){ "root/etc", NULL });
	assert_int_equal(symlink("../run/systemd/resolve/stub", scratch_path("root/etc/resolv")),
			 0);
	add_file(&s, "/etc/resolv", "nameserver\n");
	assert_int_equal(step_sh(&s, "cat /etc/resolv; readlink /etc/resolv"), 0);
	step_said(&s, "nameserver\n../run/systemd/resolve/stub\n");
	assert_int_equal(step_changes(), 0);
	assert_true(readlink(scratch_path("root/etc/resolv"), target, sizeof(target)) > 0);
}

/* CVE-2024-1753 and its kin: the target leads out of the root, as a string. */
static void test_links_that_point_out_stay_inside(void **state)
{
	auto_step struct step s;
	xb_autofree char *text = NULL;
	xb_autofree char *out = NULL;

	(void)state;
	step_init(&s);
	make_dirs((const char *[]){ "root/etc", "out", NULL });
	scratch_write("out/canary", "canary\n");
	out = xb_strdup(scratch_path("out"));
	assert_int_equal(symlink(out, scratch_path("root/abs")), 0);
	assert_int_equal(symlink("../../../../../../../../../../..", scratch_path("root/up")), 0);
	assert_int_equal(symlink("/proc/1/root", scratch_path("root/magic")), 0);
	add_file(&s, "/abs/canary", "mounted\n");
	add_file(&s, "/up/up-file", "mounted\n");
	xb_sandbox_spec_mount(&s.spec, XB_SANDBOX_TMPFS, "/abs/dir/../dir");
	assert_int_equal(step_sh(&s, "cat /abs/canary /up-file; ls -d /abs/dir"), 0);
	step_said(&s, "mounted\nmounted\n/abs/dir\n");
	text = step_read(scratch_path("out/canary"));
	assert_string_equal(text, "canary\n");
	assert_int_equal(access("/up-file", F_OK), -1);
	assert_int_equal(access(scratch_path("out/dir"), F_OK), -1);
	xb_sandbox_spec_mount(&s.spec, XB_SANDBOX_TMPFS, "/magic/tmp");
	step_failed(&s, step_run(&s), -EINVAL, "nothing can be mounted on");
}

static void test_link_loops_and_files_in_the_way(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(symlink("b", scratch_path("root/a")), 0);
	assert_int_equal(symlink("a", scratch_path("root/b")), 0);
	scratch_write("root/file", "");
	step_argv(&s, (const char *[]){ "true", NULL });
	xb_sandbox_spec_mount(&s.spec, XB_SANDBOX_TMPFS, "/a/x");
	step_failed(&s, step_run(&s), -ELOOP, "/a/x");
	step_without_mounts(&s);
	xb_sandbox_spec_mount(&s.spec, XB_SANDBOX_TMPFS, "/file");
	step_failed(&s, step_run(&s), -ENOTDIR, "/file is not a directory");
	step_without_mounts(&s);
	xb_sandbox_spec_mount(&s.spec, XB_SANDBOX_TMPFS, "/file/below");
	step_failed(&s, step_run(&s), -ENOTDIR, "/file/below");
	step_without_mounts(&s);
	xb_sandbox_spec_mount(&s.spec, XB_SANDBOX_FILE, "/bin");
	step_failed(&s, step_run(&s), -EISDIR, "/bin is a directory");
	step_without_mounts(&s);
	xb_sandbox_spec_mount(&s.spec, XB_SANDBOX_TMPFS, "/../.");
	step_failed(&s, step_run(&s), -EINVAL, "nothing can be mounted on");
}

static void test_own_mounts_are_not_reached_through_links(void **state)
{
	static const char *const names[] = { "proc", "sys", "dev" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		auto_step struct step s;
		xb_autofree char *link = xb_format("root/%s", names[i]);

		step_init(&s);
		(void)mkdir(scratch_path("root/elsewhere"), 0755);
		assert_int_equal(symlink("elsewhere", scratch_path(link)), 0);
		step_argv(&s, (const char *[]){ "true", NULL });
		step_failed(&s, step_run(&s), -ELOOP, names[i]);
		assert_int_equal(s.err.fault, XB_FAULT_STEP);
		assert_int_equal(unlink(scratch_path(link)), 0);
	}
}

/* A layer that deleted the mount point hides the stubs below it; they are then put above. */
static void test_mount_point_deleted_by_a_layer(void **state)
{
	auto_step struct step s;
	struct stat st;

	(void)state;
	step_init(&s);
	make_dirs((const char *[]){ "root/etc", "root/var", NULL });
	assert_int_equal(chmod(scratch_path("root/var"), 01770), 0);
	if (mknod(scratch_path("root/etc/hosts"), S_IFCHR, 0) < 0)
		need("whiteouts", false);
	assert_int_equal(setxattr(scratch_path("root/var"), "user.overlay.opaque", "y", 1, 0), 0);
	add_file(&s, "/etc/hosts", "hosts\n");
	add_file(&s, "/var/lib/x", "x\n");
	assert_int_equal(step_sh(&s, "cat /etc/hosts /var/lib/x; stat -c %a /var; "
				     "touch /var/new"),
			 0);
	step_said(&s, "hosts\nx\n1770\n");
	assert_int_equal(step_changes(), 1);
	assert_int_equal(lstat(scratch_path("fs/var"), &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 01770);
	assert_int_equal(lstat(scratch_path("fs/var/lib"), &st), -1);
}

/* Stubs are made in advance by the names that were asked for; where a link of the image stands at
 * one of them they must not show, also when some stubs have to lie above the image. */
static void test_links_are_not_covered_by_stubs(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	make_dirs((const char *[]){ "root/etc", "root/run", "root/var", NULL });
	if (mknod(scratch_path("root/etc/hosts"), S_IFCHR, 0) < 0)
		need("whiteouts", false);
	assert_int_equal(symlink("/run", scratch_path("root/var/run")), 0);
	scratch_write("root/run/of-the-image", "");
	add_file(&s, "/etc/hosts", "hosts\n");
	add_file(&s, "/var/run/x/y", "y\n");
	assert_int_equal(step_sh(&s, "readlink /var/run; ls /run /var; cat /run/x/y /etc/hosts; "
				     "echo z > /var/run/z"),
			 0);
	step_said(&s, "/run\n/run:\nof-the-image\nx\n\n/var:\nrun\ny\nhosts\n");
	assert_int_equal(access(scratch_path("fs/run/z"), F_OK), 0);
	assert_int_equal(access(scratch_path("fs/var"), F_OK), -1);
}

/* A directory that shows only because of a mount point has no time of its own, so that a layer in
 * which it comes out does not depend on when the step ran; one of the image keeps all it has. */
static void test_directories_around_stubs(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	make_dirs((const char *[]){ "root/etc", NULL });
	assert_int_equal(chmod(scratch_path("root/etc"), 02750), 0);
	add_file(&s, "/etc/hosts", "hosts\n");
	add_file(&s, "/deep/er/file", "deep\n");
	assert_int_equal(step_sh(&s, "stat -c '%n %a %Y' /deep /deep/er; stat -c '%n %a' /etc; "
				     "echo x > /deep/er/x; stat -c '%n %Y' /deep"),
			 0);
	step_said(&s, "/deep 755 0\n/deep/er 755 0\n/etc 2750\n/deep 0\n");
}

static void test_bind_mounts(void **state)
{
	auto_step struct step s;
	struct xb_sandbox_mount *m;
	xb_autofree char *text = NULL;

	(void)state;
	step_init(&s);
	make_dirs((const char *[]){ "data", "cache", NULL });
	scratch_write("data/file", "data\n");
	m = xb_sandbox_spec_mount(&s.spec, XB_SANDBOX_BIND, "/mnt/data");
	m->source = xb_strdup(scratch_path("data"));
	m->read_only = true;
	m = xb_sandbox_spec_mount(&s.spec, XB_SANDBOX_BIND, "/mnt/one-file");
	m->source = xb_strdup(scratch_path("data/file"));
	m->read_only = true;
	m = xb_sandbox_spec_mount(&s.spec, XB_SANDBOX_BIND, "/mnt/cache");
	m->source_fd = open(scratch_path("cache"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(step_sh(&s, "cat /mnt/data/file /mnt/one-file; "
					     "(echo x > /mnt/data/file) 2>/dev/null || echo kept; "
					     "echo step >> /mnt/cache/file"),
				 0);
		step_said(&s, "data\ndata\nkept\n");
		s.spec.private_userns = true;
	}
	(void)close(m->source_fd);
	text = step_read(scratch_path("cache/file"));
	assert_string_equal(text, "step\nstep\n");
	assert_int_equal(step_changes(), 0);
	m->source_fd = -1;
	m->source = xb_strdup(scratch_path("nowhere"));
	step_failed(&s, step_run(&s), -ENOENT, "the mount at /mnt/cache");
}

/* A view of another stage: an overlay that is mounted nowhere, for as many steps as want it. */
static void test_detached_view_as_source(void **state)
{
	auto_step struct step s;
	struct xb_sandbox_mount *m;
	xb_auto_fd int view = -1;
	int lowers[2];

	(void)state;
	step_init(&s);
	make_dirs((const char *[]){ "one", "two", NULL });
	scratch_write("one/file", "one\n");
	scratch_write("two/file", "hidden\n");
	scratch_write("two/other", "two\n");
	lowers[0] = open(scratch_path("one"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	lowers[1] = open(scratch_path("two"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	view = xb_overlay_mount(
		&(struct xb_overlay){ .lowers = lowers, .lower_count = 2, .upper = -1, .work = -1 },
		&s.err);
	assert_true(view >= 0);
	m = xb_sandbox_spec_mount(&s.spec, XB_SANDBOX_BIND, "/from");
	m->source_fd = view;
	m->read_only = true;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(step_sh(&s, "cat /from/file /from/other"), 0);
		step_said(&s, "one\ntwo\n");
		s.spec.private_userns = true;
	}
	assert_int_equal(step_changes(), 0);
	(void)close(lowers[0]);
	(void)close(lowers[1]);
}

/* Mounts inside mounts, in order. */
static void test_mounts_in_mounts(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	step_need_ids();
	xb_sandbox_spec_mount(&s.spec, XB_SANDBOX_TMPFS, "/outer")->mode = 0700;
	xb_sandbox_spec_mount(&s.spec, XB_SANDBOX_TMPFS, "/outer/inner/dir")->uid = 7;
	add_file(&s, "/outer/inner/dir/file", "text\n")->mode = 0640;
	add_file(&s, "/dev/extra", "extra\n");
	assert_int_equal(step_sh(&s, "cat /outer/inner/dir/file /dev/extra; stat -c %a:%u /outer "
				     "/outer/inner/dir /outer/inner/dir/file"),
			 0);
	step_said(&s, "text\nextra\n700:0\n755:7\n640:0\n");
	assert_int_equal(step_changes(), 0);
}

static void test_tmpfs_size(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	xb_sandbox_spec_mount(&s.spec, XB_SANDBOX_TMPFS, "/small")->size = 65536;
	s.spec.shm_size = 131072;
	assert_int_equal(step_sh(&s, "dd if=/dev/zero of=/small/x bs=1k count=65 2>/dev/null; "
				     "dd if=/dev/zero of=/dev/shm/x bs=1k count=129 2>/dev/null; "
				     "stat -c %s /small/x /dev/shm/x"),
			 0);
	step_said(&s, "65536\n131072\n");
}

static void test_read_only_and_scratch_roots(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	free(XB_STEAL(s.spec.upper));
	free(XB_STEAL(s.spec.work));
	assert_int_equal(step_sh(&s, "echo x > /x"), 1);
	assert_true(step_says(&s, "Read-only file system"));
	s.spec.scratch_upper = true;
	assert_int_equal(step_sh(&s, "echo x > /x; rm -r /bin; echo still"), 0);
	step_said(&s, "still\n");
	assert_int_equal(access(scratch_path("root/x"), F_OK), -1);
	assert_int_equal(step_changes(), 0);
}

/* One layer that has all mount points is its own root, without an overlay. */
static void test_single_complete_layer(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	free(XB_STEAL(s.spec.upper));
	free(XB_STEAL(s.spec.work));
	make_dirs((const char *[]){ "root/proc", "root/sys", "root/dev", "root/bin", NULL });
	assert_int_equal(scratch_run((const char *[]){ "cp", "/bin/busybox",
						       scratch_path("root/bin/sh"), NULL }),
			 0);
	xb_strv_remove(&s.spec.lowers, 1);
	assert_int_equal(step_sh(&s, "echo x > /x"), 1);
	assert_true(step_says(&s, "Read-only file system"));
}

static void test_wished_stubs(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	xb_strv_push(&s.spec.stubs, "/wished/dir/");
	xb_strv_push(&s.spec.stubs, "/wished/file");
	assert_int_equal(step_sh(&s, "ls -d /wished/dir/ /wished/file; ls -A /wished/dir"), 0);
	step_said(&s, "/wished/dir/\n/wished/file\n");
	assert_int_equal(step_changes(), 0);
}

static void test_network_files(void **state)
{
	auto_step struct step s;
	xb_auto_strv struct xb_strv extra = XB_STRV_INIT;

	(void)state;
	step_init(&s);
	xb_strv_push(&extra, "10.0.0.1\tdatabase");
	assert_int_equal(xb_sandbox_network_files(&s.spec, &extra, &s.err), 0);
	assert_int_equal(step_sh(&s, "cat /etc/hosts; ls /etc"), 0);
	step_said(&s, "127.0.0.1\tlocalhost xbuild\n::1\tlocalhost ip6-localhost ip6-loopback\n"
		      "10.0.0.1\tdatabase\nhosts\nresolv.conf\n");
	assert_int_equal(step_changes(), 0);
}

static void test_nothing_stays_mounted(void **state)
{
	auto_step struct step s;
	xb_autofree char *before = NULL;
	xb_autofree char *after = NULL;

	(void)state;
	step_init(&s);
	before = step_read("/proc/self/mountinfo");
	add_file(&s, "/etc/hosts", "hosts\n");
	for (int i = 0; i < 5; i++)
		assert_int_equal(step_sh(&s, "true"), 0);
	after = step_read("/proc/self/mountinfo");
	assert_string_equal(before, after);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_changes_go_to_the_upper_directory),
		TEST(test_nothing_of_the_mounts_stays),
		TEST(test_a_stub_directory_can_be_used),
		TEST(test_files_of_the_image_are_covered_not_changed),
		TEST(test_dangling_link_as_target),
		TEST(test_links_that_point_out_stay_inside),
		TEST(test_link_loops_and_files_in_the_way),
		TEST(test_own_mounts_are_not_reached_through_links),
		TEST(test_mount_point_deleted_by_a_layer),
		TEST(test_links_are_not_covered_by_stubs),
		TEST(test_directories_around_stubs),
		TEST(test_bind_mounts),
		TEST(test_detached_view_as_source),
		TEST(test_mounts_in_mounts),
		TEST(test_tmpfs_size),
		TEST(test_read_only_and_scratch_roots),
		TEST(test_single_complete_layer),
		TEST(test_wished_stubs),
		TEST(test_network_files),
		TEST(test_nothing_stays_mounted),
	};

	return step_run_both(tests);
}
