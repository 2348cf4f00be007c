/* SPDX-License-Identifier: Apache-2.0 */
/* What the guard's registrations fit, and the marked copies of emulators. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "emulation/binfmt.h"
#include "emulation/guard.h"
#include "tests/unit/scratch.h"

static const struct xb_arch *arch_of(const char *text)
{
	const struct xb_platform defaults = { .os = "linux", .arch = "amd64" };
	struct xb_platform p;

	assert_int_equal(xb_platform_parse(xb_view(text), &defaults, &p, NULL), 0);
	return xb_arch_of_platform(&p);
}

/* ---- registrations --------------------------------------------------------------------------- */

/* As the kernel compares: (file ^ magic) & mask is zero all over. */
static bool line_fits(const char *line, const unsigned char *file)
{
	unsigned char bytes[2][64];
	const char *at = strstr(line, ":M::");
	size_t len = 0;

	assert_non_null(at);
	at += strlen(":M::");
	for (size_t field = 0; field < 2; field++, at++)
		for (len = 0; *at == '\\'; at += 4)
			bytes[field][len++] = (unsigned char)strtoul(at + 2, NULL, 16);
	for (size_t i = 0; i < len; i++)
		if (((file[i] ^ bytes[0][i]) & bytes[1][i]) != 0)
			return false;
	return true;
}

/* A header as it begins; the machine's number in its byte order. */
static void make_header(unsigned char file[64], uint8_t class, uint8_t data, uint16_t machine)
{
	size_t low = data == ELFDATA2MSB ? 1 : 0;

	memset(file, 0, 64);
	memcpy(file, ELFMAG, SELFMAG);
	file[EI_CLASS] = class;
	file[EI_DATA] = data;
	file[EI_VERSION] = EV_CURRENT;
	file[offsetof(Elf64_Ehdr, e_type) + low] = ET_DYN;
	file[offsetof(Elf64_Ehdr, e_machine) + low] = (unsigned char)machine;
	file[offsetof(Elf64_Ehdr, e_machine) + 1 - low] = (unsigned char)(machine >> 8);
}

static bool refuses(const char *host, const char *target, const unsigned char *file)
{
	xb_auto_strv struct xb_strv lines = XB_STRV_INIT;
	bool fits = false;

	assert_int_equal(xb_guard_lines(arch_of(host), arch_of(target), "/h", &lines, NULL), 0);
	for (size_t i = 0; i < lines.len; i++) {
		assert_non_null(strstr(lines.items[i], ":/h:POF"));
		fits = fits || line_fits(lines.items[i], file);
	}
	return fits;
}

static void what_the_machine_runs_is_refused(void **state)
{
	static const struct {
		const char *host, *target;
		uint8_t class, data;
		uint16_t machine;
		bool refused;
	} cases[] = {
		{ "amd64", "arm64", ELFCLASS64, ELFDATA2LSB, EM_X86_64, true },
		{ "amd64", "arm64", ELFCLASS32, ELFDATA2LSB, EM_X86_64, true }, /* x32 */
		{ "amd64", "arm64", ELFCLASS32, ELFDATA2LSB, EM_386, true },
		{ "amd64", "arm64", ELFCLASS64, ELFDATA2LSB, EM_AARCH64, false },
		{ "amd64", "arm64", ELFCLASS32, ELFDATA2LSB, EM_ARM, false },
		{ "amd64", "386", ELFCLASS32, ELFDATA2LSB, EM_386, false },
		{ "amd64", "386", ELFCLASS64, ELFDATA2LSB, EM_X86_64, true },
		{ "arm64", "amd64", ELFCLASS64, ELFDATA2LSB, EM_AARCH64, true },
		{ "arm64", "amd64", ELFCLASS32, ELFDATA2LSB, EM_ARM, true },
		{ "arm64", "amd64", ELFCLASS64, ELFDATA2LSB, EM_X86_64, false },
		{ "arm64", "linux/arm/v7", ELFCLASS32, ELFDATA2LSB, EM_ARM, false },
		{ "arm64", "linux/arm/v7", ELFCLASS64, ELFDATA2LSB, EM_AARCH64, true },
		{ "mips64le", "mipsle", ELFCLASS32, ELFDATA2LSB, EM_MIPS, false },
		{ "mips64le", "mipsle", ELFCLASS64, ELFDATA2LSB, EM_MIPS, true },
		{ "s390x", "amd64", ELFCLASS64, ELFDATA2MSB, EM_S390, true },
		{ "s390x", "amd64", ELFCLASS32, ELFDATA2MSB, EM_S390, true },
		{ "amd64", "amd64", ELFCLASS64, ELFDATA2LSB, EM_X86_64, false },
	};
	unsigned char file[64];

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		make_header(file, cases[i].class, cases[i].data, cases[i].machine);
		if (refuses(cases[i].host, cases[i].target, file) != cases[i].refused)
			fail_msg("host %s, target %s, class %d, machine %d", cases[i].host,
				 cases[i].target, cases[i].class, cases[i].machine);
		xb_guard_mark(file);
		assert_false(refuses(cases[i].host, cases[i].target, file));
	}
}

static void what_others_write_into_the_padding_is_no_mark(void **state)
{
	unsigned char file[64];

	(void)state;
	make_header(file, ELFCLASS64, ELFDATA2LSB, EM_X86_64);
	memcpy(file + EI_ABIVERSION, "FreeBSD", 8);
	assert_true(refuses("amd64", "arm64", file));
	file[XB_BINFMT_MARK_AT] = 0x7f;
	assert_true(refuses("amd64", "arm64", file));
}

static void a_handler_without_a_path_is_refused(void **state)
{
	xb_auto_strv struct xb_strv lines = XB_STRV_INIT;

	(void)state;
	assert_int_equal(xb_guard_lines(arch_of("amd64"), arch_of("arm64"), "h", &lines, NULL),
			 -EINVAL);
	assert_int_equal(lines.len, 0);
}

/* ---- copies ---------------------------------------------------------------------------------- */

static const char *write_emulator(const char *name, const char *bytes, size_t len)
{
	const char *path = scratch_path(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	assert_true(fd >= 0);
	assert_int_equal(xb_write_all(fd, bytes, len, NULL), 0);
	(void)close(fd);
	return path;
}

static void a_copy_is_the_file_with_the_mark(void **state)
{
	static char bytes[300000] = ELFMAG;
	static char copy[sizeof(bytes) + 1];
	const char *path;
	int fd;

	(void)state;
	for (size_t i = EI_NIDENT; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	path = write_emulator("qemu", bytes, sizeof(bytes));
	fd = xb_guard_carry(path, NULL);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, copy, sizeof(copy), 0), sizeof(bytes));
	assert_int_equal((unsigned char)copy[XB_BINFMT_MARK_AT], XB_BINFMT_MARK);
	copy[XB_BINFMT_MARK_AT] = 0;
	assert_memory_equal(copy, bytes, sizeof(bytes));
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(errno, EPERM);
}

static void a_file_is_copied_once_until_it_changes(void **state)
{
	const char *path = write_emulator("qemu", ELFMAG "0123456789abcdef", 20);
	int fd = xb_guard_carry(path, NULL);
	char byte = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(xb_guard_carry(path, NULL), fd);
	(void)write_emulator("qemu", ELFMAG "0123456789abcdefg", 21);
	assert_int_not_equal(xb_guard_carry(path, NULL), fd);
	assert_int_equal(pread(xb_guard_carry(path, NULL), &byte, 1, 20), 1);
	assert_int_equal(byte, 'g');
	/* the first goes on to be what it was */
	assert_int_equal(pread(fd, &byte, 1, 20), 0);
}

static void what_is_no_program_is_not_carried(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(xb_guard_carry(scratch_path("nothing"), &err), -ENOENT);
	assert_non_null(strstr(err.message, "nothing"));
	xb_error_clear(&err);
	assert_int_equal(
		xb_guard_carry(write_emulator("script", "#!/bin/sh -eu\nexit 0\n", 21), &err),
		-ENOEXEC);
	assert_non_null(strstr(err.message, "script"));
	assert_int_equal(xb_guard_carry(write_emulator("short", ELFMAG, 4), NULL), -ENOEXEC);
	assert_int_equal(xb_guard_carry(scratch, NULL), -EINVAL);
}

static void *carry_it(void *path)
{
	return (void *)(intptr_t)xb_guard_carry(path, NULL);
}

static void threads_share_one_copy(void **state)
{
	xb_autofree char *path = xb_strdup(write_emulator("qemu", ELFMAG "0123456789abcde", 19));
	pthread_t threads[8];
	void *fds[XB_COUNT(threads)];

	(void)state;
	for (size_t i = 0; i < XB_COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, carry_it, path), 0);
	for (size_t i = 0; i < XB_COUNT(threads); i++)
		assert_int_equal(pthread_join(threads[i], &fds[i]), 0);
	assert_true((intptr_t)fds[0] >= 0);
	for (size_t i = 1; i < XB_COUNT(threads); i++)
		assert_ptr_equal(fds[i], fds[0]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_machine_runs_is_refused),
		cmocka_unit_test(what_others_write_into_the_padding_is_no_mark),
		cmocka_unit_test(a_handler_without_a_path_is_refused),
		TEST(a_copy_is_the_file_with_the_mark),
		TEST(a_file_is_copied_once_until_it_changes),
		TEST(what_is_no_program_is_not_carried),
		TEST(threads_share_one_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
