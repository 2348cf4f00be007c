/* SPDX-License-Identifier: Apache-2.0 */
/* Owners by name, looked up in the files of an image that nobody trusts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "builder/solve/owner.h"
#include "tests/unit/scratch.h"

static int setup(void **state)
{
	if (scratch_setup(state) < 0)
		return -1;
	return mkdirat(scratch_fd, "etc", 0755);
}

static void write_files(void)
{
	scratch_write("etc/passwd", "# a comment\n"
				    "root:x:0:0:root:/root:/bin/sh\n"
				    "\n"
				    "broken\n"
				    "broken:x\n"
				    "broken:x:7\n"
				    "broken:x:seven:8::/:\n"
				    "broken:x:-1:8::/:\n"
				    "broken:x:4294967296:8::/:\n"
				    "me:x:1000:1001:Me,,,:/home/me:/bin/sh\n"
				    "me:x:2000:2001::/:\n"
				    "prefix:x:3:3::/:\n"
				    "last:x:65534:65533");
	scratch_write("etc/group", "root:x:0:\nus:x:2000:me,you\n4000:x:5:\n");
}

/* In the tree of the scratch directory. */
static int resolve(const char *text, uid_t *ret_uid, gid_t *ret_gid, struct xb_strv *warnings,
		   struct xb_error *err)
{
	const struct xb_owner_files files = xb_owner_files_of(&scratch_fd);

	return xb_owner_resolve(&files, text, ret_uid, ret_gid, warnings, err);
}

static void resolves_with(const char *text, uid_t uid, gid_t gid, const char *warning)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	xb_autofree char *all = NULL;
	uid_t u = 77;
	gid_t g = 77;

	if (resolve(text, &u, &g, &warnings, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	if (u != uid || g != gid)
		fail_msg("%s: %u:%u", text, u, g);
	all = xb_strv_join(&warnings, "\n");
	if (warning == NULL)
		assert_int_equal(warnings.len, 0);
	else if (strstr(all, warning) == NULL)
		fail_msg("%s: \"%s\" is not in \"%s\"", text, warning, all);
}

static void resolves(const char *text, uid_t uid, gid_t gid)
{
	resolves_with(text, uid, gid, NULL);
}

/* A name that is not there is root's, and the warning names it. */
static void unknown(const char *text, const char *name)
{
	resolves_with(text, 0, 0, name);
}

static void fails(const char *text)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	uid_t u = 77;
	gid_t g = 77;

	if (resolve(text, &u, &g, &warnings, &err) >= 0)
		fail_msg("%s: %u:%u", text, u, g);
	assert_int_equal(err.code, -ERANGE);
	assert_int_equal(err.fault, XB_FAULT_SOURCE);
	assert_non_null(err.hint);
	assert_int_equal(u, 77);
	assert_int_equal(g, 77);
}

static void test_names_and_numbers(void **state)
{
	(void)state;
	write_files();
	resolves("me", 1000, 1001);
	resolves("me:us", 1000, 2000);
	resolves("me:5", 1000, 5);
	resolves("last", 65534, 65533);
	resolves("root", 0, 0);
	resolves("12", 12, 12);
	resolves("12:34", 12, 34);
	resolves("12:us", 12, 2000);
	/* a number is a number, also where a group is called so */
	resolves("1:4000", 1, 4000);
	resolves("4294967294", 4294967294U, 4294967294U);
}

static void test_unknown(void **state)
{
	(void)state;
	write_files();
	unknown("nobody", "no user called nobody");
	unknown("pref", "pref ");
	unknown("prefixx", "prefixx");
	unknown("broken", "broken");
	unknown("# a comment", "# a comment");
	resolves_with("me:them", 1000, 1001, "no group called them");
	resolves_with("me:US", 1000, 1001, "US");
	unknown("-1", "-1");
	unknown("+1", "+1");
	unknown("0x10", "0x10");
	resolves("", 0, 0);
	resolves("me:", 1000, 0);
	resolves(":us", 0, 2000);
	resolves("5:root", 5, 0);
	/* (uid_t)-1 is nobody's, and larger numbers do not wrap around to root */
	fails("4294967295");
	fails("4294967296");
	fails("0:4294967296");
	fails("18446744073709551616");
}

static void test_without_files(void **state)
{
	(void)state;
	resolves("5:6", 5, 6);
	resolves("root", 0, 0);
	unknown("me", "me");
	unknown("0:us", "no group called us");
	resolves_with("5:us", 5, 5, "no group called us");
}

/* On nothing, as after FROM scratch, there are numbers and root, and no guesses. */
static void test_without_tree(void **state)
{
	static const char *const wrong[] = { "me", "5:us", ":us" };
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	uid_t u = 77;
	gid_t g = 77;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(wrong); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_int_equal(xb_owner_resolve(NULL, wrong[i], &u, &g, &warnings, &err),
				 -ENOENT);
		assert_int_equal(err.fault, XB_FAULT_SOURCE);
		assert_int_equal(u, 77);
	}
	assert_int_equal(xb_owner_resolve(NULL, "3:root", &u, &g, &warnings, NULL), 0);
	assert_int_equal(u, 3);
	assert_int_equal(g, 0);
	assert_int_equal(xb_owner_resolve(NULL, "root", &u, &g, &warnings, NULL), 0);
	assert_int_equal(u, 0);
	assert_int_equal(warnings.len, 0);
}

/* root is 0:0 whatever a line makes of it. */
static void test_broken_root(void **state)
{
	(void)state;
	scratch_write("etc/passwd", "root:x:5:\n");
	resolves("root", 0, 0);
	scratch_write("etc/passwd", "root:x:0:3:::\n");
	resolves("root", 0, 0);
}

/* A link leads where it leads inside the image, never to the machine's own files. */
static void test_links(void **state)
{
	(void)state;
	scratch_write("outside", "");
	assert_int_equal(symlinkat("/etc/passwd", scratch_fd, "etc/group"), 0);
	assert_int_equal(symlinkat("../../../../../../../../etc/real", scratch_fd, "etc/passwd"),
			 0);
	unknown("me", "me"); /* and daemon, who is on every machine */
	unknown("daemon", "daemon");
	scratch_write("etc/real", "me:x:9:10::/:\n");
	resolves("me", 9, 10);
	assert_int_equal(unlinkat(scratch_fd, "etc/real", 0), 0);
	assert_int_equal(symlinkat("passwd", scratch_fd, "etc/real"), 0);
	unknown("me", "me");
	assert_int_equal(unlinkat(scratch_fd, "etc/real", 0), 0);
	assert_int_equal(symlinkat("/proc/self/root/etc/passwd", scratch_fd, "etc/real"), 0);
	unknown("daemon", "daemon");
}

/* Nothing blocks, and nothing but a regular file is read. */
static void test_other_kinds(void **state)
{
	(void)state;
	assert_int_equal(mkfifoat(scratch_fd, "etc/passwd", 0644), 0);
	assert_int_equal(mkdirat(scratch_fd, "etc/group", 0755), 0);
	unknown("me", "me");
	unknown("0:us", "no group called us");
	resolves("root", 0, 0);
}

static void test_huge_file(void **state)
{
	int fd;

	(void)state;
	fd = openat(scratch_fd, "etc/passwd", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
	(void)close(fd);
	unknown("me", "me");
	resolves("5", 5, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names_and_numbers, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_unknown, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_without_files, setup, scratch_teardown),
		cmocka_unit_test(test_without_tree),
		cmocka_unit_test_setup_teardown(test_broken_root, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_links, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_other_kinds, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_huge_file, setup, scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
