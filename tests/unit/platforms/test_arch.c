/* SPDX-License-Identifier: Apache-2.0 */
/* The table of architectures: every row is found again by each of its names. */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "platforms/arch.h"

static struct xb_platform parsed(const char *text)
{
	const struct xb_platform defaults = { .os = "linux", .arch = "amd64" };
	struct xb_platform p;

	assert_int_equal(xb_platform_parse(xb_view(text), &defaults, &p, NULL), 0);
	return p;
}

static const struct xb_arch *arch_of(const char *text)
{
	struct xb_platform p = parsed(text);

	return xb_arch_of_platform(&p);
}

static void rows_are_found_by_platform(void **state)
{
	const struct xb_arch *arch;

	(void)state;
	for (size_t i = 0; (arch = xb_arch_at(i)) != NULL; i++) {
		struct xb_platform p = xb_arch_platform(arch);
		struct xb_platform normal = p;

		assert_ptr_equal(xb_arch_of_platform(&p), arch);
		xb_platform_normalise(&normal);
		assert_true(xb_platform_eq(&p, &normal));
	}
	assert_null(xb_arch_at(SIZE_MAX));
}

static void rows_are_found_by_elf_header(void **state)
{
	const struct xb_arch *arch;

	(void)state;
	for (size_t i = 0; (arch = xb_arch_at(i)) != NULL; i++) {
		const struct xb_arch *found = xb_arch_of_elf(arch->elf_class, arch->elf_data,
							     arch->elf_machine, arch->flags_value);

		assert_non_null(found);
		assert_string_equal(found->name, arch->name);
		assert_true(xb_arch_same_elf(found, arch));
	}
}

static void variants_without_a_row_have_the_general_one(void **state)
{
	(void)state;
	assert_ptr_equal(arch_of("linux/amd64/v3"), arch_of("amd64"));
	assert_ptr_equal(arch_of("linux/arm64/v9.2"), arch_of("arm64"));
	assert_string_equal(arch_of("linux/arm")->variant, "v7");
	assert_null(arch_of("linux/arm/v4"));
	assert_null(arch_of("windows/amd64"));
	assert_null(arch_of("linux/sparc64"));
}

static void machines_are_known_by_their_kernels_name(void **state)
{
	static const struct {
		const char *machine;
		const char *name;
		const char *variant;
	} cases[] = {
		{ "x86_64", "amd64", "" },    { "i686", "386", "" },
		{ "i386", "386", "" },	      { "aarch64", "arm64", "" },
		{ "armv7l", "arm", "v7" },    { "armv6l", "arm", "v6" },
		{ "armv5tel", "arm", "v5" },  { "armv8l", "arm", "v8" },
		{ "riscv64", "riscv64", "" }, { "s390x", "s390x", "" },
		{ "ppc64le", "ppc64le", "" }, { "loongarch64", "loong64", "" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		const struct xb_arch *arch = xb_arch_of_machine(cases[i].machine);

		assert_non_null(arch);
		assert_string_equal(arch->name, cases[i].name);
		assert_string_equal(arch->variant, cases[i].variant);
	}
	assert_null(xb_arch_of_machine("pdp11"));
	assert_null(xb_arch_of_machine("i6866"));
	assert_null(xb_arch_of_machine(""));
}

static void relatives_of_another_abi_are_not_taken_for_it(void **state)
{
	(void)state;
	/* x32, mips n32, big-endian arm64, riscv32, ARM before the EABI */
	assert_null(xb_arch_of_elf(ELFCLASS32, ELFDATA2LSB, EM_X86_64, 0));
	assert_null(xb_arch_of_elf(ELFCLASS32, ELFDATA2LSB, EM_MIPS, EF_MIPS_ABI2));
	assert_null(xb_arch_of_elf(ELFCLASS64, ELFDATA2MSB, EM_AARCH64, 0));
	assert_null(xb_arch_of_elf(ELFCLASS32, ELFDATA2LSB, EM_RISCV, 0));
	assert_null(xb_arch_of_elf(ELFCLASS32, ELFDATA2LSB, EM_ARM, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_found_by_platform),
		cmocka_unit_test(rows_are_found_by_elf_header),
		cmocka_unit_test(variants_without_a_row_have_the_general_one),
		cmocka_unit_test(machines_are_known_by_their_kernels_name),
		cmocka_unit_test(relatives_of_another_abi_are_not_taken_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
