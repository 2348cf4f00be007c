/* SPDX-License-Identifier: Apache-2.0 */
/* What ELF headers say: tiny programs of every architecture, this program, and broken files. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <string.h>

#include "platforms/elf.h"
#include "platforms/host.h"
#include "platforms/tiny.h"

static const struct xb_arch *arch_of(const char *text)
{
	const struct xb_platform defaults = { .os = "linux", .arch = "amd64" };
	struct xb_platform p;

	assert_int_equal(xb_platform_parse(xb_view(text), &defaults, &p, NULL), 0);
	return xb_arch_of_platform(&p);
}

static int file_of(const void *data, size_t len)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	return fd;
}

/* Identify `len` bytes; the error, if any, is checked to be a sentence. */
static int identify(const void *data, size_t len, struct xb_elf_info *ret)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int fd = file_of(data, len);
	int r = xb_elf_identify(fd, ret, &err);

	assert_int_equal(lseek(fd, 0, SEEK_CUR), len);
	if (r < 0)
		assert_non_null(err.message);
	else
		assert_null(err.message);
	return r;
}

static void every_architecture_is_recognised(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_TINY_COUNT; i++) {
		const struct xb_arch *arch = arch_of(xb_tiny_table[i].platform);
		unsigned char file[XB_TINY_SIZE];
		struct xb_elf_info info;
		struct xb_platform p;

		xb_tiny_make(&xb_tiny_table[i], arch, file);
		assert_int_equal(identify(file, sizeof(file), &info), 0);
		assert_true(info.is_elf);
		assert_int_equal(info.type, ET_EXEC);
		assert_int_equal(info.flags, xb_tiny_table[i].flags);
		assert_false(info.has_interpreter);
		assert_false(info.dynamic);
		assert_true(xb_elf_platform(&info, &p));
		assert_string_equal(p.os, "linux");
		assert_string_equal(p.arch, arch->name);
		assert_string_equal(p.variant, "");
	}
}

static void this_program_is_of_this_host(void **state)
{
	xb_auto_fd int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct xb_elf_info info;
	struct xb_platform host, own;

	(void)state;
	assert_int_equal(xb_elf_identify(fd, &info, NULL), 0);
	assert_true(info.is_elf && info.dynamic && info.has_interpreter);
	assert_int_equal(info.interpreter[0], '/');
	assert_int_equal(xb_platform_host(&host, NULL), 0);
	assert_true(xb_elf_platform(&info, &own));
	assert_string_equal(own.arch, host.arch);
}

static void other_files_are_not_elf(void **state)
{
	static const char *const texts[] = { "", "\x7f",
					     "\x7f"
					     "EL",
					     "#!/bin/sh\n", "ELF\x7f....." };
	struct xb_elf_info info;
	struct xb_platform p;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(texts); i++) {
		assert_int_equal(identify(texts[i], strlen(texts[i]), &info), 0);
		assert_false(info.is_elf);
		assert_false(xb_elf_platform(&info, &p));
		assert_null(xb_elf_arch(&info));
	}
}

/* A program for arm64 or, 32-bit and big-endian, mips. */
static void make(const char *platform, unsigned char file[XB_TINY_SIZE])
{
	xb_tiny_make(xb_tiny_find(platform), arch_of(platform), file);
}

static void cut_files_are_broken(void **state)
{
	static const char *const platforms[] = { "linux/arm64", "linux/mips" };
	struct xb_elf_info info;
	unsigned char file[XB_TINY_SIZE];

	(void)state;
	for (size_t i = 0; i < XB_COUNT(platforms); i++) {
		size_t headers = i == 0 ? sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr)
					: sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr);

		make(platforms[i], file);
		for (size_t len = SELFMAG; len < headers; len++)
			assert_int_equal(identify(file, len, &info), -EBADMSG);
		assert_int_equal(identify(file, headers, &info), 0);
	}
}

static void impossible_headers_are_broken(void **state)
{
	const struct xb_arch *arch = arch_of("linux/arm64");
	struct xb_elf_info info;
	unsigned char file[XB_TINY_SIZE];

	(void)state;
	make("linux/arm64", file);
	file[EI_CLASS] = 3;
	assert_int_equal(identify(file, sizeof(file), &info), -EBADMSG);
	make("linux/arm64", file);
	file[EI_DATA] = 0;
	assert_int_equal(identify(file, sizeof(file), &info), -EBADMSG);
	make("linux/arm64", file);
	XB_TINY_FIELD(file, arch, 0, Elf64_Ehdr, e_phentsize, 1);
	assert_int_equal(identify(file, sizeof(file), &info), -EBADMSG);
	make("linux/arm64", file);
	XB_TINY_FIELD(file, arch, 0, Elf64_Ehdr, e_phnum, 0xffff);
	assert_int_equal(identify(file, sizeof(file), &info), -EBADMSG);
	make("linux/arm64", file);
	XB_TINY_FIELD(file, arch, 0, Elf64_Ehdr, e_phoff, UINT64_MAX - 8);
	assert_int_equal(identify(file, sizeof(file), &info), -EBADMSG);
	XB_TINY_FIELD(file, arch, 0, Elf64_Ehdr, e_phnum, 0);
	assert_int_equal(identify(file, sizeof(file), &info), 0);
}

/* Turn the only segment into PT_INTERP with the given place and size. */
static int identify_interpreter(uint64_t offset, uint64_t size, struct xb_elf_info *info)
{
	const struct xb_arch *arch = arch_of("linux/s390x");
	const size_t ph = sizeof(Elf64_Ehdr);
	unsigned char file[XB_TINY_SIZE];

	make("linux/s390x", file);
	memcpy(file + XB_TINY_TEXT, "/lib/ld64.so.1", 15);
	XB_TINY_FIELD(file, arch, ph, Elf64_Phdr, p_type, PT_INTERP);
	XB_TINY_FIELD(file, arch, ph, Elf64_Phdr, p_offset, offset);
	XB_TINY_FIELD(file, arch, ph, Elf64_Phdr, p_filesz, size);
	return identify(file, sizeof(file), info);
}

static void interpreters_are_read_within_bounds(void **state)
{
	struct xb_elf_info info;

	(void)state;
	assert_int_equal(identify_interpreter(XB_TINY_TEXT, 15, &info), 0);
	assert_true(info.has_interpreter);
	assert_string_equal(info.interpreter, "/lib/ld64.so.1");
	/* without its NUL, empty, too long, past the end, absurd */
	assert_int_equal(identify_interpreter(XB_TINY_TEXT, 14, &info), -EBADMSG);
	assert_int_equal(identify_interpreter(XB_TINY_TEXT, 0, &info), -EBADMSG);
	assert_int_equal(identify_interpreter(XB_TINY_TEXT, 1, &info), -EBADMSG);
	assert_int_equal(identify_interpreter(0, 4097, &info), -EBADMSG);
	assert_int_equal(identify_interpreter(XB_TINY_SIZE - 4, 15, &info), -EBADMSG);
	assert_int_equal(identify_interpreter(UINT64_MAX, 15, &info), -EBADMSG);
	assert_int_equal(identify_interpreter(XB_TINY_TEXT, UINT64_MAX, &info), -EBADMSG);
}

static void descriptors_that_cannot_be_read_are_errors(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_elf_info info;
	int pipefd[2];

	(void)state;
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	assert_int_equal(xb_elf_identify(pipefd[0], &info, &err), -ESPIPE);
	assert_false(info.is_elf);
	(void)close(pipefd[0]);
	(void)close(pipefd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_architecture_is_recognised),
		cmocka_unit_test(this_program_is_of_this_host),
		cmocka_unit_test(other_files_are_not_elf),
		cmocka_unit_test(cut_files_are_broken),
		cmocka_unit_test(impossible_headers_are_broken),
		cmocka_unit_test(interpreters_are_read_within_bounds),
		cmocka_unit_test(descriptors_that_cannot_be_read_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
