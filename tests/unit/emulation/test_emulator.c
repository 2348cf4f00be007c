/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding emulators, in directories made for it. The emulators are made-up: for those that must
 * answer `--version`, a static program of the host that says nothing is enough.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <string.h>

#include "emulation/emulator.h"
#include "platforms/host.h"
#include "platforms/tiny.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

static struct xb_platform host;

static struct xb_platform parsed(const char *text)
{
	const struct xb_platform defaults = { .os = "linux", .arch = "amd64" };
	struct xb_platform p;

	assert_int_equal(xb_platform_parse(xb_view(text), &defaults, &p, NULL), 0);
	return p;
}

/* A platform that the host cannot be. */
static struct xb_platform foreign(void)
{
	return parsed(strcmp(host.arch, "s390x") == 0 ? "linux/riscv64" : "linux/s390x");
}

static const char *foreign_qemu(void)
{
	struct xb_platform p = foreign();

	return xb_arch_of_platform(&p)->qemu;
}

static char *in_directory(const char *subdirectory, const char *suffix)
{
	xb_autofree char *parent = xb_format("%s/%s", scratch, subdirectory);

	(void)mkdir(parent, 0755);
	return xb_format("%s/qemu-%s%s", parent, foreign_qemu(), suffix);
}

static void put_file(const char *path, const void *data, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

/* A static program for `platform`. */
static void put_program(const char *path, const struct xb_platform *platform, mode_t mode)
{
	unsigned char file[XB_TINY_SIZE];
	const struct xb_tiny *code = xb_tiny_find(xb_platform_name(platform).text);

	assert_non_null(code);
	xb_tiny_make(code, xb_arch_of_platform(platform), file);
	put_file(path, file, sizeof(file), mode);
}

/* A copy of this test, which is dynamically linked. */
static void put_dynamic_program(const char *path)
{
	assert_int_equal(symlink("/proc/self/exe", path), 0);
}

/* Search `subdirectory` of ours alone. */
static int find_in(const char *subdirectory, const struct xb_strv *overrides,
		   struct xb_emulator *ret, struct xb_error *err)
{
	xb_autofree char *path =
		xb_format("relative::%s/nowhere:%s/%s", scratch, scratch, subdirectory);
	const struct xb_emulator_options options = {
		.overrides = overrides,
		.search_path = path,
		.system_path = "",
	};
	struct xb_platform target = foreign();

	return xb_emulator_find(&target, &host, &options, ret, err);
}

static void assert_refused(const struct xb_error *err, int r, const char *words)
{
	assert_int_equal(err->code, r);
	assert_int_equal(err->fault, XB_FAULT_PLATFORM);
	assert_non_null(err->hint);
	if (strstr(err->message, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err->message, words);
}

static void a_missing_emulator_is_named(void **state)
{
	xb_auto_emulator struct xb_emulator e = XB_EMULATOR_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_platform target = foreign();
	xb_autofree char *program = xb_format("qemu-%s-static", foreign_qemu());

	(void)state;
	assert_int_equal(find_in("missing", NULL, &e, &err), -ENOENT);
	assert_refused(&err, -ENOENT, program);
	assert_non_null(strstr(err.message, xb_platform_name(&target).text));
	assert_non_null(strstr(err.hint, "qemu-user-static"));
	assert_null(e.path);
}

static void static_programs_of_the_host_are_found(void **state)
{
	xb_auto_emulator struct xb_emulator e = XB_EMULATOR_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *plain = in_directory("found", "");
	xb_autofree char *by_name = in_directory("found", "-static");

	(void)state;
	put_program(plain, &host, 0755);
	assert_int_equal(find_in("found", NULL, &e, &err), 0);
	assert_string_equal(e.path, plain);
	assert_string_equal(e.arch->qemu, foreign_qemu());
	assert_string_equal(e.version, "");
	put_program(by_name, &host, 0755);
	assert_int_equal(find_in("found", NULL, &e, &err), 0);
	assert_string_equal(e.path, by_name);
}

static void dynamic_programs_are_passed_over(void **state)
{
	xb_auto_emulator struct xb_emulator e = XB_EMULATOR_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *path = in_directory("dynamic", "-static");
	xb_autofree char *better = in_directory("dynamic", "");

	(void)state;
	put_dynamic_program(path);
	assert_int_equal(find_in("dynamic", NULL, &e, &err), -ENOEXEC);
	assert_refused(&err, -ENOEXEC, "dynamically linked");
	xb_error_clear(&err);
	put_program(better, &host, 0755);
	assert_int_equal(find_in("dynamic", NULL, &e, &err), 0);
	assert_string_equal(e.path, better);
}

static void foreign_programs_are_passed_over(void **state)
{
	xb_auto_emulator struct xb_emulator e = XB_EMULATOR_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *path = in_directory("foreign", "-static");
	struct xb_platform other = foreign();

	(void)state;
	put_program(path, &other, 0755);
	assert_int_equal(find_in("foreign", NULL, &e, &err), -ENOEXEC);
	assert_refused(&err, -ENOEXEC, "not a program for linux/");
}

static void other_files_are_passed_over(void **state)
{
	xb_auto_emulator struct xb_emulator e = XB_EMULATOR_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *script = in_directory("script", "-static");
	xb_autofree char *locked = in_directory("locked", "-static");
	xb_autofree char *fifo = in_directory("fifo", "-static");

	(void)state;
	put_file(script, "#!/bin/sh\n", 10, 0755);
	assert_int_equal(find_in("script", NULL, &e, &err), -ENOEXEC);
	put_program(locked, &host, 0644);
	xb_error_clear(&err);
	assert_int_equal(find_in("locked", NULL, &e, &err), -ENOEXEC);
	assert_refused(&err, -ENOEXEC, "not an executable file");
	assert_int_equal(mkfifo(fifo, 0755), 0);
	xb_error_clear(&err);
	assert_int_equal(find_in("fifo", NULL, &e, &err), -ENOEXEC);
}

static void overrides_win_or_fail(void **state)
{
	xb_auto_emulator struct xb_emulator e = XB_EMULATOR_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_strv struct xb_strv overrides = XB_STRV_INIT;
	xb_autofree char *installed = in_directory("installed", "-static");
	xb_autofree char *mine = in_directory("mine", "-static");
	struct xb_platform target = foreign();
	const char *name = target.arch;

	(void)state;
	put_program(installed, &host, 0755);
	put_program(mine, &host, 0755);
	xb_strv_printf(&overrides, "linux/%s=/nowhere", name);
	xb_strv_printf(&overrides, "linux/arm=/elsewhere");
	assert_int_equal(find_in("installed", &overrides, &e, &err), -ENOENT);
	assert_refused(&err, -ENOENT, "/nowhere");
	xb_strv_printf(&overrides, "%s=%s", name, mine);
	assert_int_equal(find_in("installed", &overrides, &e, NULL), 0);
	assert_string_equal(e.path, mine);
}

static void overrides_without_a_variant_stand_for_all(void **state)
{
	xb_auto_strv struct xb_strv overrides = XB_STRV_INIT;
	const struct xb_emulator_options options = { .overrides = &overrides };
	struct xb_platform v5 = parsed("linux/arm/v5");
	struct xb_platform v7 = parsed("linux/arm/v7");

	(void)state;
	xb_strv_push(&overrides, "linux/arm/v7=/q");
	assert_true(xb_emulator_is_overridden(&v7, &options));
	assert_false(xb_emulator_is_overridden(&v5, &options));
	xb_strv_push(&overrides, "linux/arm=/q");
	assert_true(xb_emulator_is_overridden(&v5, &options));
}

static void malformed_overrides_are_usage_errors(void **state)
{
	static const char *const texts[] = { "",
					     "/q",
					     "linux/arm64",
					     "linux/arm64=",
					     "linux/arm64=q",
					     "linux/nothing/at/all=/q",
					     "=/q" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(texts); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_int_equal(xb_emulator_check_override(texts[i], &err), -EINVAL);
		assert_int_equal(err.fault, XB_FAULT_USAGE);
		assert_non_null(err.hint);
	}
	assert_int_equal(xb_emulator_check_override("linux/arm64=/q", NULL), 0);
}

static void platforms_without_an_emulator_are_refused(void **state)
{
	const struct xb_emulator_options options = { 0 };
	struct xb_platform target = parsed("windows/amd64");
	xb_auto_emulator struct xb_emulator e = XB_EMULATOR_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(xb_emulator_find(&target, &host, &options, &e, &err), -ENOTSUP);
	assert_refused(&err, -ENOTSUP, "windows/amd64");
}

static void installed_emulators_say_their_version(void **state)
{
	struct xb_emulator_options options = { 0 };
	struct xb_platform target = foreign();
	xb_auto_emulator struct xb_emulator e = XB_EMULATOR_INIT;
	xb_auto_emulator struct xb_emulator copy = XB_EMULATOR_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	if (xb_emulator_find(&target, &host, &options, &e, &err) < 0)
		print_message("%s\n", err.message);
	need("binfmt", e.path != NULL);
	assert_true(e.version[0] >= '0' && e.version[0] <= '9');
	xb_emulator_copy(&copy, &e);
	assert_string_equal(copy.path, e.path);
	assert_string_equal(copy.version, e.version);

	/* what is known by now is not told either: nobody may depend on who asked before */
	options.no_version = true;
	assert_int_equal(xb_emulator_find(&target, &host, &options, &e, &err), 0);
	assert_string_equal(e.version, "");
}

static int know_the_host(void **state)
{
	(void)state;
	return xb_platform_host(&host, NULL);
}

#define WITH_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SCRATCH(a_missing_emulator_is_named),
		WITH_SCRATCH(static_programs_of_the_host_are_found),
		WITH_SCRATCH(dynamic_programs_are_passed_over),
		WITH_SCRATCH(foreign_programs_are_passed_over),
		WITH_SCRATCH(other_files_are_passed_over),
		WITH_SCRATCH(overrides_win_or_fail),
		WITH_SCRATCH(overrides_without_a_variant_stand_for_all),
		WITH_SCRATCH(malformed_overrides_are_usage_errors),
		WITH_SCRATCH(platforms_without_an_emulator_are_refused),
		WITH_SCRATCH(installed_emulators_say_their_version),
	};

	return cmocka_run_group_tests(tests, know_the_host, NULL);
}
