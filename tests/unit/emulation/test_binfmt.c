/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registration lines, and the real thing: for each architecture of the table a tiny program is run
 * by the machine's emulator, registered in a user namespace of its own. Those tests need user
 * namespaces with binfmt_misc (Linux 6.7) and qemu-user-static.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <string.h>

#include "base/array.h"
#include "emulation/binfmt.h"
#include "emulation/emulator.h"
#include "emulation/guard.h"
#include "platforms/host.h"
#include "platforms/tiny.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

static struct xb_platform platform_of(const char *text)
{
	const struct xb_platform defaults = { .os = "linux", .arch = "amd64" };
	struct xb_platform p;

	assert_int_equal(xb_platform_parse(xb_view(text), &defaults, &p, NULL), 0);
	return p;
}

static const struct xb_arch *arch_of(const char *text)
{
	struct xb_platform p = platform_of(text);

	return xb_arch_of_platform(&p);
}

/* Lines. */

static void assert_line(const char *platform, const char *interpreter, const char *expected)
{
	xb_auto_str struct xb_str line = XB_STR_INIT(XB_STR_OWN);

	assert_int_equal(xb_binfmt_line(arch_of(platform), "xb", interpreter, &line, NULL), 0);
	assert_string_equal(xb_str_text(&line), expected);
}

static void lines_hold_the_header(void **state)
{
	(void)state;
	assert_line(
		"linux/arm64", "/q",
		":xb:M::"
		"\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
		"\\x02\\x00\\xb7\\x00:"
		"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
		"\\xfe\\xff\\xff\\xff:/q:POCF");
	assert_line(
		"linux/s390x", "/q",
		":xb:M::"
		"\\x7f\\x45\\x4c\\x46\\x02\\x02\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
		"\\x00\\x02\\x00\\x16:"
		"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
		"\\xff\\xfe\\xff\\xff:/q:POCF");
}

static void a_colon_in_the_path_changes_the_delimiter(void **state)
{
	xb_auto_str struct xb_str line = XB_STR_INIT(XB_STR_OWN);

	(void)state;
	assert_int_equal(xb_binfmt_line(arch_of("riscv64"), "xb", "/a:b", &line, NULL), 0);
	assert_int_equal(strncmp(xb_str_text(&line), "|xb|M||\\x7f", 11), 0);
	assert_non_null(strstr(xb_str_text(&line), "|/a:b|POCF"));
}

static void bad_lines_are_refused(void **state)
{
	static const char *const names[] = { "", ".", "..", "register", "status", "a/b", "a:b" };
	xb_auto_str struct xb_str line = XB_STR_INIT(XB_STR_OWN);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	char path[XB_BINFMT_LINE_MAX];

	(void)state;
	for (size_t i = 0; i < XB_COUNT(names); i++)
		assert_int_equal(xb_binfmt_line(arch_of("arm64"), names[i], "/q", &line, &err),
				 -EINVAL);
	assert_int_equal(xb_binfmt_line(arch_of("arm64"), "xb", "q", &line, &err), -EINVAL);
	assert_int_equal(xb_binfmt_line(arch_of("arm64"), "xb", "/q\n", &line, &err), -EINVAL);
	memset(path, 'q', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(xb_binfmt_line(arch_of("arm64"), "xb", path, &line, &err), -ENAMETOOLONG);
	assert_int_equal(line.len, 0);
}

/* A line's pattern, read back. */
struct pattern {
	unsigned char bytes[2][64]; /* magic, mask */
	size_t len;
};

static struct pattern read_pattern(const char *line)
{
	struct pattern p = { .len = 0 };
	const char *at = strstr(line, ":M::");

	assert_non_null(at);
	at += strlen(":M::");
	for (size_t field = 0; field < 2; field++, at++)
		for (p.len = 0; *at == '\\'; at += 4)
			p.bytes[field][p.len++] = (unsigned char)strtoul(at + 2, NULL, 16);
	return p;
}

static struct pattern pattern_of(const struct xb_arch *arch)
{
	xb_auto_str struct xb_str line = XB_STR_INIT(XB_STR_OWN);

	assert_int_equal(xb_binfmt_line(arch, "xb", "/q", &line, NULL), 0);
	return read_pattern(xb_str_text(&line));
}

/* As the kernel does it. */
static bool matches(const struct pattern *p, const unsigned char *file)
{
	for (size_t i = 0; i < p->len; i++)
		if (((file[i] ^ p->bytes[0][i]) & p->bytes[1][i]) != 0)
			return false;
	return true;
}

static void a_pattern_fits_its_own_architecture_alone(void **state)
{
	unsigned char file[XB_TINY_SIZE];

	(void)state;
	for (size_t c = 0; c < XB_TINY_COUNT; c++) {
		const struct xb_arch *own = arch_of(xb_tiny_table[c].platform);
		const struct xb_arch *other;

		xb_tiny_make(&xb_tiny_table[c], own, file);
		for (size_t i = 0; (other = xb_arch_at(i)) != NULL; i++) {
			struct pattern p = pattern_of(other);

			if (matches(&p, file) != xb_arch_same_elf(own, other))
				fail_msg("the pattern of %s and a program for %s", other->name,
					 xb_tiny_table[c].platform);
		}
	}
}

static bool match_one(const struct xb_strv *lines, const unsigned char *file)
{
	bool one = false;

	for (size_t i = 0; i < lines->len; i++) {
		struct pattern p = read_pattern(lines->items[i]);

		one = one || matches(&p, file);
	}
	return one;
}

/* What a machine runs by itself, but for what the step is for, and what bears the mark. */
static void the_guard_fits_programs_of_the_machine_alone(void **state)
{
	static const struct {
		const char *host, *target;
		const char *refused; /* of the table, with a space before and behind */
	} rows[] = {
		{ "amd64", "arm64", " linux/386 linux/amd64 " },
		{ "amd64", "386", " linux/amd64 " },
		{ "arm64", "amd64", " linux/arm/v5 linux/arm/v6 linux/arm/v7 linux/arm64 " },
		{ "riscv64", "arm64", " linux/riscv64 " },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		xb_auto_strv struct xb_strv lines = XB_STRV_INIT;

		assert_int_equal(xb_guard_lines(arch_of(rows[i].host), arch_of(rows[i].target),
						"/q", &lines, NULL),
				 0);
		for (size_t c = 0; c < XB_TINY_COUNT; c++) {
			const char *name = xb_tiny_table[c].platform;
			xb_autofree char *word = xb_format(" %s ", name);
			unsigned char file[XB_TINY_SIZE];

			xb_tiny_make(&xb_tiny_table[c], arch_of(name), file);
			if (match_one(&lines, file) != (strstr(rows[i].refused, word) != NULL))
				fail_msg("%s on %s for %s", name, rows[i].host, rows[i].target);
			xb_guard_mark(file);
			assert_false(match_one(&lines, file));
		}
	}
}

static void every_row_has_a_program_here(void **state)
{
	const struct xb_arch *arch;

	(void)state;
	for (size_t i = 0; (arch = xb_arch_at(i)) != NULL; i++) {
		struct xb_platform p = xb_arch_platform(arch);

		/* Nothing but its kernel's name tells 32-bit ARMv8 from v7. */
		if (strcmp(arch->variant, "v8") == 0)
			continue;
		if (xb_tiny_find(xb_platform_name(&p).text) == NULL)
			fail_msg("no tiny program for %s", xb_platform_name(&p).text);
	}
}

static void programs_of_all_kinds_fit_and_others_do_not(void **state)
{
	const struct xb_tiny *code = xb_tiny_find("linux/mipsle");
	const struct xb_arch *arch = arch_of("linux/mipsle");
	struct pattern p = pattern_of(arch);
	unsigned char file[XB_TINY_SIZE];

	(void)state;
	xb_tiny_make(code, arch, file);
	file[EI_OSABI] = ELFOSABI_GNU;
	file[EI_ABIVERSION] = 3;
	assert_true(matches(&p, file));
	XB_TINY_FIELD(file, arch, 0, Elf32_Ehdr, e_type, ET_DYN);
	assert_true(matches(&p, file));
	XB_TINY_FIELD(file, arch, 0, Elf32_Ehdr, e_type, ET_REL);
	assert_false(matches(&p, file));
	XB_TINY_FIELD(file, arch, 0, Elf32_Ehdr, e_type, ET_CORE);
	assert_false(matches(&p, file));
	XB_TINY_FIELD(file, arch, 0, Elf32_Ehdr, e_type, ET_EXEC);
	XB_TINY_FIELD(file, arch, 0, Elf32_Ehdr, e_flags, code->flags | EF_MIPS_ABI2); /* n32 */
	assert_false(matches(&p, file));
}

/* The real thing. */

/* How a child that could not get so far ends. */
enum { NO_NAMESPACE = 90, NO_MOUNT, NO_REGISTRATION, NOT_EXECUTABLE, NOT_STARTED };

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(NO_NAMESPACE);
	(void)close(fd);
}

static void enter_namespace(void)
{
	xb_autofree char *uids = xb_format("0 %u 1", geteuid());
	xb_autofree char *gids = xb_format("0 %u 1", getegid());

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		_exit(NO_NAMESPACE);
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", uids);
	write_file("/proc/self/gid_map", gids);
}

static _Noreturn void exit_with(const struct xb_error *err, int status)
{
	(void)dprintf(STDERR_FILENO, "%s\n", err->message);
	_exit(status);
}

/* What a child does: `line` NULL registers nothing; `forget` closes the instance first. */
static _Noreturn void run_child(const char *program, const char *line, bool forget, int out)
{
	struct xb_error err = XB_ERROR_INIT;
	char *argv[] = { xb_strdup(program), NULL };
	int fd;

	enter_namespace();
	fd = xb_binfmt_mount(&err);
	if (fd < 0)
		exit_with(&err, NO_MOUNT);
	if (line != NULL && xb_binfmt_register(fd, line, &err) < 0)
		exit_with(&err, NO_REGISTRATION);
	if (forget)
		(void)close(fd);
	(void)dup2(out, STDOUT_FILENO);
	(void)execv(program, argv);
	_exit(errno == ENOEXEC ? NOT_EXECUTABLE : NOT_STARTED);
}

/* Run `program` in a fresh namespace; `ret_output` gets what it prints. Returns its exit status. */
static int run(const char *program, const char *line, bool forget, struct xb_str *ret_output)
{
	char buffer[256];
	int pipefd[2];
	int status = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run_child(program, line, forget, pipefd[1]);
	(void)close(pipefd[1]);
	while ((n = read(pipefd[0], buffer, sizeof(buffer))) > 0)
		assert_int_equal(xb_str_append(ret_output, buffer, (size_t)n), 0);
	(void)close(pipefd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static const char *write_program(const struct xb_tiny *code)
{
	const char *path = scratch_path("program");
	unsigned char file[XB_TINY_SIZE];
	int fd;

	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	assert_true(fd >= 0);
	xb_tiny_make(code, arch_of(code->platform), file);
	assert_int_equal(write(fd, file, sizeof(file)), sizeof(file));
	(void)close(fd);
	return path;
}

static void need_private_binfmt(void)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_str struct xb_str output = XB_STR_INIT(XB_STR_OWN);
	int status = xb_binfmt_probe(&err) < 0 ? NO_MOUNT : run("/bin/true", NULL, false, &output);

	if (err.message != NULL)
		print_message("%s\n", err.message);
	need("userns", status != NO_NAMESPACE);
	need("binfmt", status != NO_MOUNT);
}

/* The machine's emulator for `platform`, as a line. */
static void need_emulator(const char *platform, struct xb_str *ret_line)
{
	const struct xb_emulator_options options = { 0 };
	struct xb_platform target = platform_of(platform);
	struct xb_platform host;
	xb_auto_emulator struct xb_emulator emulator = XB_EMULATOR_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	assert_int_equal(xb_platform_host(&host, NULL), 0);
	if (xb_emulator_find(&target, &host, &options, &emulator, &err) < 0)
		print_message("%s\n", err.message);
	need("binfmt", emulator.path != NULL);
	assert_ptr_equal(emulator.arch, arch_of(platform));
	assert_int_equal(xb_binfmt_line(emulator.arch, "xb", emulator.path, ret_line, NULL), 0);
}

/* What the machine's own instance holds. */
static void host_registrations(struct xb_str *out)
{
	FILE *f = popen("ls /proc/sys/fs/binfmt_misc; cat /proc/sys/fs/binfmt_misc/* 2>/dev/null",
			"r");
	char buffer[4096];
	size_t n;

	assert_non_null(f);
	while ((n = fread(buffer, 1, sizeof(buffer), f)) > 0)
		assert_int_equal(xb_str_append(out, buffer, n), 0);
	(void)pclose(f);
}

/* The architecture that the test about to run is for; see main(). */
static size_t next_code;

/* Runs once for each architecture. */
static void runs(void **state)
{
	const struct xb_tiny *code = &xb_tiny_table[next_code++];
	xb_auto_str struct xb_str line = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str output = XB_STR_INIT(XB_STR_OWN);
	const char *program = write_program(code);
	char expected[XB_TINY_NAME + 1];
	struct xb_platform host;
	bool native;

	(void)state;
	need_private_binfmt();
	assert_int_equal(xb_platform_host(&host, NULL), 0);
	native = xb_arch_same_elf(xb_arch_of_platform(&host), arch_of(code->platform));
	if (!native)
		need_emulator(code->platform, &line);
	xb_tiny_name(code, expected);
	assert_int_equal(run(program, native ? NULL : xb_str_text(&line), false, &output),
			 XB_TINY_STATUS);
	assert_string_equal(xb_str_text(&output), expected);
}

static void a_registration_ends_with_its_instance(void **state)
{
	const char *name = "linux/riscv64";
	xb_auto_str struct xb_str before = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str after = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str line = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str output = XB_STR_INIT(XB_STR_OWN);
	const char *program = write_program(xb_tiny_find(name));

	(void)state;
	need_private_binfmt();
	need_emulator(name, &line);
	host_registrations(&before);
	assert_int_equal(run(program, xb_str_text(&line), false, &output), XB_TINY_STATUS);
	host_registrations(&after);
	assert_string_equal(xb_str_text(&before), xb_str_text(&after));
	assert_int_equal(run(program, xb_str_text(&line), true, &output), NOT_EXECUTABLE);
}

static void bad_registrations_are_refused(void **state)
{
	xb_auto_str struct xb_str line = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str output = XB_STR_INIT(XB_STR_OWN);

	(void)state;
	need_private_binfmt();
	assert_int_equal(xb_binfmt_line(arch_of("arm64"), "xb", "/nowhere/qemu", &line, NULL), 0);
	assert_int_equal(run("/bin/true", xb_str_text(&line), false, &output), NO_REGISTRATION);
	assert_int_equal(run("/bin/true", ":nonsense", false, &output), NO_REGISTRATION);
}

#define FIXED_TESTS 9

int main(void)
{
	struct CMUnitTest tests[FIXED_TESTS + XB_TINY_COUNT] = {
		cmocka_unit_test(lines_hold_the_header),
		cmocka_unit_test(a_colon_in_the_path_changes_the_delimiter),
		cmocka_unit_test(bad_lines_are_refused),
		cmocka_unit_test(a_pattern_fits_its_own_architecture_alone),
		cmocka_unit_test(the_guard_fits_programs_of_the_machine_alone),
		cmocka_unit_test(every_row_has_a_program_here),
		cmocka_unit_test(programs_of_all_kinds_fit_and_others_do_not),
		cmocka_unit_test_setup_teardown(a_registration_ends_with_its_instance,
						scratch_setup, scratch_teardown),
		cmocka_unit_test(bad_registrations_are_refused),
	};

	for (size_t i = 0; i < XB_TINY_COUNT; i++) {
		tests[FIXED_TESTS + i].name = xb_tiny_table[i].platform;
		tests[FIXED_TESTS + i].test_func = runs;
		tests[FIXED_TESTS + i].setup_func = scratch_setup;
		tests[FIXED_TESTS + i].teardown_func = scratch_teardown;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
