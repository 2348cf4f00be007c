/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a step runs as. Needs user namespaces, as root or as a user with subordinate ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/builder/sandbox/step.h"

static const char passwd[] = "# comment\n"
			     "root:x:0:0:root:/home/of-root:/bin/sh\n"
			     "broken line\n"
			     "nonumber:x:x:5::/:/bin/sh\n"
			     "app:x:1234:2345:App:/home/app:/bin/sh\n"
			     "5678:x:77:78::/home/digits:/bin/sh\n"
			     "nohome:x:90:91:::\n"
			     "last:x:99:98::/home/last:/bin/sh"; /* no newline */
static const char group[] = "root:x:0:\n"
			    "app:x:2345:\n"
			    "wheel:x:10:root,app\n"
			    "::::\n"
			    "audio:x:11:other,app,\n"
			    "last:x:98:";

static void make_accounts(void)
{
	(void)mkdir(scratch_path("root/etc"), 0755);
	scratch_write("root/etc/passwd", passwd);
	scratch_write("root/etc/group", group);
}

static void test_lookup(void **state)
{
	static const struct {
		const char *user;
		const char *says;
	} rows[] = {
		{ "", "0:0:0 10:/home/of-root" },
		{ "root", "0:0:0 10:/home/of-root" },
		{ "0", "0:0:0 10:/home/of-root" },
		{ "app", "1234:2345:10 11 2345:/home/app" },
		{ "1234", "1234:2345:10 11 2345:/home/app" },
		{ "app:wheel", "1234:10:10:/home/app" },
		{ "app:10", "1234:10:10:/home/app" },
		{ "app:55", "1234:55:55:/home/app" },
		{ "app:", "1234:2345:10 11 2345:/home/app" },
		{ ":audio", "0:11:11:/home/of-root" },
		{ "5678", "77:78:78:/home/digits" }, /* names go before numbers */
		{ "4000", "4000:0:0:/" },
		{ "4000:4001", "4000:4001:4001:/" },
		{ "nohome", "90:91:91:/" },
		{ "last", "99:98:98:/home/last" },
		{ "last:last", "99:98:98:/home/last" },
	};
	auto_step struct step s;

	(void)state;
	step_init(&s);
	step_need_ids();
	make_accounts();
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		xb_autofree char *expected = xb_format("%s\n", rows[i].says);

		step_user(&s, rows[i].user);
		assert_int_equal(step_sh(&s, "f() { set -- $(grep ^$1: /proc/self/status); "
					     "shift; echo $*; }; set -- $(f Uid) $(f Gid); "
					     "echo $2:$6:$(f Groups):$HOME"),
				 0);
		if (strcmp(xb_str_text(&s.output), expected) != 0)
			fail_msg("\"%s\" is %s, not %s", rows[i].user, xb_str_text(&s.output),
				 expected);
	}
}

static void check_refused(struct step *s, const char *user, int r, const char *sentence)
{
	step_user(s, user);
	step_argv(s, (const char *[]){ "true", NULL });
	step_failed(s, step_run(s), r, sentence);
	assert_int_equal(s->err.fault, XB_FAULT_STEP);
}

static void test_unknown_names(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	make_accounts();
	check_refused(&s, "nobody-here", -ENOENT, "no user \"nobody-here\" in the image");
	assert_non_null(s.err.hint);
	check_refused(&s, "nonumber", -ENOENT, "no user \"nonumber\"");
	check_refused(&s, "app:nogroup", -ENOENT, "no group \"nogroup\" in the image");
	check_refused(&s, "-1", -ENOENT, "no user \"-1\"");
	check_refused(&s, "4294967295", -ENOENT, "no user");
	check_refused(&s, "2147483648", -ENOENT, "no user");
}

static void test_image_without_accounts(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	step_need_ids();
	assert_int_equal(step_sh(&s, "id; echo $HOME"), 0);
	step_said(&s, "uid=0 gid=0 groups=0\n/root\n");
	check_refused(&s, "app", -ENOENT, "no user \"app\"");
	step_user(&s, "12:34");
	assert_int_equal(step_sh(&s, "id"), 0);
	step_said(&s, "uid=12 gid=34 groups=34\n");
}

static void test_hostile_files(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	(void)mkdir(scratch_path("root/etc"), 0755);
	assert_int_equal(mkfifo(scratch_path("root/etc/passwd"), 0644), 0);
	check_refused(&s, "app", -EINVAL, "/etc/passwd in the image is not a regular file");
	assert_int_equal(unlink(scratch_path("root/etc/passwd")), 0);
	assert_int_equal(mkdir(scratch_path("root/etc/passwd"), 0755), 0);
	check_refused(&s, "app", -EINVAL, "not a regular file");
	assert_int_equal(rmdir(scratch_path("root/etc/passwd")), 0);
	assert_int_equal(symlink("passwd", scratch_path("root/etc/passwd")), 0);
	check_refused(&s, "app", -ELOOP, "/etc/passwd");
	assert_int_equal(unlink(scratch_path("root/etc/passwd")), 0);
	/* sparse, so that it costs nothing to make */
	scratch_write("root/etc/passwd", "");
	assert_int_equal(truncate(scratch_path("root/etc/passwd"), (10 << 20) + 1), 0);
	check_refused(&s, "app", -EFBIG, "/etc/passwd");
}

/* A link out of the image is a link inside it. */
static void test_passwd_of_the_machine_is_not_read(void **state)
{
	auto_step struct step s;
	xb_autofree char *outside = NULL;

	(void)state;
	step_init(&s);
	(void)mkdir(scratch_path("root/etc"), 0755);
	scratch_write("passwd", "app:x:1:1::/:/bin/sh\n");
	outside = xb_strdup(scratch_path("passwd"));
	assert_int_equal(symlink(outside, scratch_path("root/etc/passwd")), 0);
	check_refused(&s, "app", -ENOENT, "no user \"app\"");
	assert_int_equal(unlink(scratch_path("root/etc/passwd")), 0);
	assert_int_equal(symlink("/proc/1/root/etc/passwd", scratch_path("root/etc/passwd")), 0);
	check_refused(&s, "app", -ELOOP, "/etc/passwd");
}

static void test_long_lines(void **state)
{
	auto_step struct step s;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	(void)state;
	step_init(&s);
	step_need_ids();
	(void)mkdir(scratch_path("root/etc"), 0755);
	for (int i = 0; i < 100000; i++)
		xb_str_puts(&text, "x:::");
	xb_str_puts(&text, "\napp:x:7:8::/:\n");
	scratch_write("root/etc/passwd", xb_str_text(&text));
	step_user(&s, "app");
	assert_int_equal(step_sh(&s, "id"), 0);
	assert_true(step_says(&s, "uid=7"));
}

/* _exit(): the leak checker of sanitized builds has no rights here. */
static int say_who(void)
{
	(void)dprintf(STDOUT_FILENO, "%u %u\n", getuid(), geteuid());
	_exit(0);
}

/* A setuid program gives a plain user its owner's identity, in nested namespaces too. */
static void test_setuid_program(void **state)
{
	xb_autofree char *self = realpath("/proc/self/exe", NULL);
	auto_step struct step s;

	(void)state;
	step_init(&s);
	step_need_ids();
	step_add_self(&s);
	assert_int_equal(
		scratch_run((const char *[]){ "cp", self, scratch_path("root/suid"), NULL }), 0);
	assert_int_equal(chown(scratch_path("root/suid"), 4321, 0), 0);
	assert_int_equal(chmod(scratch_path("root/suid"), 04755), 0);
	step_user(&s, "1234");
	for (int i = 0; i < 2; i++) {
		step_argv(&s, (const char *[]){ "/suid", "who", NULL });
		if (step_run(&s) < 0)
			fail_msg("%s", s.err.message);
		step_said(&s, "1234 4321\n");
		s.spec.private_userns = true;
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lookup),
		TEST(test_unknown_names),
		TEST(test_image_without_accounts),
		TEST(test_hostile_files),
		TEST(test_passwd_of_the_machine_is_not_read),
		TEST(test_long_lines),
		TEST(test_setuid_program),
	};

	if (argc == 2 && strcmp(argv[1], "who") == 0)
		return say_who();
	return step_run_both(tests);
}
