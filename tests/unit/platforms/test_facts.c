/* SPDX-License-Identifier: Apache-2.0 */
/* What files say of themselves: written ones, archives of them, files of other systems, damage. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"
#include "platforms/arch.h"
#include "platforms/facts.h"
#include "tests/unit/platforms/elf_writer.h"

struct bytes {
	const unsigned char *data;
	size_t len;
	uint64_t read;
};

static ssize_t read_bytes(void *context, void *to, size_t len, uint64_t offset,
			  struct xb_error *err)
{
	struct bytes *b = context;
	size_t n = offset >= b->len ? 0 : b->len - (size_t)offset;

	(void)err;
	if (n > len)
		n = len;
	if (n > 0)
		memcpy(to, b->data + offset, n);
	b->read += n;
	return (ssize_t)n;
}

/* The bytes lie at the end of an allocation, so that reading behind them is found. */
static void read_facts(const void *data, size_t len, struct xb_facts *ret)
{
	unsigned char *copy = malloc(len > 0 ? len : 1);
	struct bytes b = { .data = copy, .len = len };
	struct xb_facts_source source = { .read = read_bytes, .context = &b, .size = len };

	assert_non_null(copy);
	memcpy(copy, data, len);
	assert_int_equal(xb_facts_read(&source, ret, NULL), 0);
	assert_true(b.read <= XB_FACTS_BUDGET);
	free(copy);
}

static struct ew of_arch(const struct xb_arch *a, uint16_t type)
{
	return (struct ew){ .class = a->elf_class,
			    .data = a->elf_data,
			    .type = type,
			    .machine = a->elf_machine,
			    .flags = a->flags_value };
}

static void all_that_the_linker_is_told_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; xb_arch_at(i) != NULL; i++)
		for (int segments_only = 0; segments_only < 2; segments_only++) {
			xb_auto_facts struct xb_facts facts = { 0 };
			struct ew e = of_arch(xb_arch_at(i), ET_DYN);
			struct ew_file f;

			e.interpreter = "/lib/ld.so";
			e.needed[0] = "libc.so.6";
			e.needed[1] = "libm.so.6";
			e.soname = "libx.so.1";
			e.rpath = "/r";
			e.runpath = "$ORIGIN/../lib";
			e.flags_1 = DF_1_PIE;
			e.version_file = "libc.so.6";
			e.version = "GLIBC_2.38";
			e.defined = "LIBX_1";
			e.segments_only = segments_only;
			ew_write(&e, &f);
			read_facts(f.bytes, EW_SIZE, &facts);
			assert_null(facts.damage);
			assert_int_equal(facts.kind, XB_FACTS_ELF);
			assert_true(facts.dynamic);
			assert_false(xb_facts_is_static(&facts));
			assert_string_equal(facts.interpreter, "/lib/ld.so");
			assert_int_equal(facts.needed.len, 2);
			assert_string_equal(facts.needed.items[1], "libm.so.6");
			assert_string_equal(facts.soname, "libx.so.1");
			assert_string_equal(facts.rpath, "/r");
			assert_string_equal(facts.runpath, "$ORIGIN/../lib");
			assert_int_equal(facts.flags_1, DF_1_PIE);
			assert_int_equal(facts.versions_len, 1);
			assert_string_equal(facts.versions[0].file, "libc.so.6");
			assert_string_equal(facts.versions[0].version, "GLIBC_2.38");
			assert_int_equal(facts.defined.len, 1);
			assert_string_equal(facts.defined.items[0], "LIBX_1");
		}
}

static void a_program_without_libraries_is_static(void **state)
{
	xb_auto_facts struct xb_facts facts = { 0 };
	struct ew e = of_arch(xb_arch_at(1), ET_EXEC);
	struct ew_file f;

	(void)state;
	ew_write(&e, &f);
	read_facts(f.bytes, EW_SIZE, &facts);
	assert_true(xb_facts_is_static(&facts));
	assert_false(facts.dynamic);
	assert_null(facts.interpreter);
}

static void notes_and_records_are_read(void **state)
{
	static const unsigned char mips[24] = { [2] = 64, [3] = 2, [7] = 6 };
	static const unsigned char arm_pairs[] = "\x05"
						 "7-A\0\x06\x0a\x07"
						 "A\x0a\x03\x0c\x01\x1c\x01";
	static const unsigned char riscv_pairs[] = "\x04\x10\x05"
						   "rv64i2p0_m2p0_v1p0";
	unsigned char record[128];
	struct ew_file f;
	struct ew e = { .class = ELFCLASS64, .data = ELFDATA2LSB, .type = ET_DYN };
	xb_auto_facts struct xb_facts facts = { 0 };

	(void)state;
	e.machine = EM_X86_64;
	memcpy(e.properties, (uint32_t[]){ 0xc0000002, 3, 0xc0008002, 7 }, 16);
	ew_write(&e, &f);
	read_facts(f.bytes, EW_SIZE, &facts);
	assert_null(facts.damage);
	assert_int_equal(facts.elf.x86_features, 3);
	assert_int_equal(facts.elf.x86_needed, 7);
	xb_facts_clear(&facts);

	e.machine = EM_AARCH64;
	memcpy(e.properties, (uint32_t[]){ 0xc0000000, 1, 0, 0 }, 16);
	ew_write(&e, &f);
	read_facts(f.bytes, EW_SIZE, &facts);
	assert_int_equal(facts.elf.aarch64_features, 1);
	xb_facts_clear(&facts);

	e = (struct ew){ .class = ELFCLASS64,
			 .data = ELFDATA2MSB,
			 .type = ET_EXEC,
			 .machine = EM_MIPS,
			 .record = mips,
			 .record_len = sizeof(mips) };
	ew_write(&e, &f);
	read_facts(f.bytes, EW_SIZE, &facts);
	assert_true(facts.elf.mips.present);
	assert_int_equal(facts.elf.mips.isa_rev, 2);
	assert_int_equal(facts.elf.mips.fp_abi, 6);
	xb_facts_clear(&facts);

	e = (struct ew){ .class = ELFCLASS32,
			 .data = ELFDATA2LSB,
			 .type = ET_REL,
			 .machine = EM_ARM,
			 .record = record };
	e.record_len = ew_attributes(&e, "aeabi", arm_pairs, sizeof(arm_pairs) - 1, record);
	ew_write(&e, &f);
	read_facts(f.bytes, EW_SIZE, &facts);
	assert_null(facts.damage);
	assert_true(facts.elf.arm.present);
	assert_int_equal(facts.elf.arm.cpu_arch, 10);
	assert_int_equal(facts.elf.arm.profile, 'A');
	assert_int_equal(facts.elf.arm.fp_arch, 3);
	assert_int_equal(facts.elf.arm.simd_arch, 1);
	assert_int_equal(facts.elf.arm.vfp_args, 1);
	xb_facts_clear(&facts);

	e = (struct ew){ .class = ELFCLASS64,
			 .data = ELFDATA2LSB,
			 .type = ET_DYN,
			 .machine = EM_RISCV,
			 .record = record,
			 .segments_only = true };
	e.record_len = ew_attributes(&e, "riscv", riscv_pairs, sizeof(riscv_pairs), record);
	ew_write(&e, &f);
	read_facts(f.bytes, EW_SIZE, &facts);
	assert_null(facts.damage);
	assert_string_equal(facts.elf.riscv_arch, "rv64i2p0_m2p0_v1p0");
}

static void put_member(struct xb_str *ar, const char *name, const void *data, size_t len)
{
	xb_str_printf(ar, "%-16s%-12s%-6s%-6s%-8s%-10zu`\n", name, "0", "0", "0", "644", len);
	xb_str_append(ar, data, len);
	if (len % 2 != 0)
		xb_str_putc(ar, '\n');
}

static void members_of_archives_are_told_apart(void **state)
{
	xb_auto_str struct xb_str ar = XB_STR_INIT(XB_STR_OWN);
	xb_auto_facts struct xb_facts facts = { 0 };
	struct ew arm64 = of_arch(xb_arch_at(6), ET_REL), amd64 = of_arch(xb_arch_at(1), ET_REL);
	struct ew_file a, b;

	(void)state;
	ew_write(&amd64, &a);
	ew_write(&arm64, &b);
	xb_str_puts(&ar, "!<arch>\n");
	put_member(&ar, "//", "a_very_long_name_of_an_object.o/\n", 33);
	put_member(&ar, "one.o/", a.bytes, EW_SIZE);
	put_member(&ar, "text/", "no ELF", 6);
	put_member(&ar, "/0", b.bytes, EW_SIZE);
	put_member(&ar, "two.o/", a.bytes, EW_SIZE);
	read_facts(ar.data, ar.len, &facts);
	assert_null(facts.damage);
	assert_int_equal(facts.kind, XB_FACTS_AR);
	assert_int_equal(facts.members_len, 2);
	assert_string_equal(facts.members[0].name, "one.o");
	assert_int_equal(facts.members[0].count, 2);
	assert_int_equal(facts.members[0].elf.machine, EM_X86_64);
	assert_string_equal(facts.members[1].name, "a_very_long_name_of_an_object.o");
	assert_int_equal(facts.members[1].elf.machine, EM_AARCH64);
	xb_facts_clear(&facts);
	read_facts(ar.data, ar.len - 1, &facts);
	assert_non_null(facts.damage);
}

static const struct {
	const char *bytes;
	size_t len;
	enum xb_facts_kind kind;
	const char *interpreter, *argument;
	bool damaged;
} small[] = {
	{ "", 0, XB_FACTS_OTHER, NULL, NULL, false },
	{ "hello", 5, XB_FACTS_OTHER, NULL, NULL, false },
	{ "#!/bin/sh\necho\n", 15, XB_FACTS_SCRIPT, "/bin/sh", NULL, false },
	{ "#! /usr/bin/env\tperl -w \n", 25, XB_FACTS_SCRIPT, "/usr/bin/env", "perl -w", false },
	{ "#!/bin/sh", 9, XB_FACTS_SCRIPT, "/bin/sh", NULL, false },
	{ "#!", 2, XB_FACTS_SCRIPT, NULL, NULL, true },
	{ "#!\nx", 4, XB_FACTS_SCRIPT, NULL, NULL, true },
	{ "\0asm\1\0\0\0", 8, XB_FACTS_WASM, NULL, NULL, false },
	{ "\0asm", 4, XB_FACTS_OTHER, NULL, NULL, false },
	{ "\xcf\xfa\xed\xfe\x0c\0\0\1", 8, XB_FACTS_MACHO, NULL, NULL, false },
	{ "\xca\xfe\xba\xbe\0\0\0\x34", 8, XB_FACTS_OTHER, NULL, NULL, false }, /* Java */
	{ "\xca\xfe\xba\xbe\0\0\0\2", 8, XB_FACTS_MACHO, NULL, NULL, true },
	{ "MZ", 2, XB_FACTS_OTHER, NULL, NULL, false },
	{ "\177ELF", 4, XB_FACTS_ELF, NULL, NULL, true },
	{ "\177ELF\3\1\1\0\0\0\0\0\0\0\0\0", 16, XB_FACTS_ELF, NULL, NULL, true },
	{ "!<arch>\n", 8, XB_FACTS_AR, NULL, NULL, false },
	{ "!<arch>\nx", 9, XB_FACTS_AR, NULL, NULL, true },
};

static void small_files_are_what_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(small); i++) {
		xb_auto_facts struct xb_facts facts = { 0 };

		read_facts(small[i].bytes, small[i].len, &facts);
		assert_int_equal(facts.kind, small[i].kind);
		assert_int_equal(facts.damage != NULL, small[i].damaged);
		if (small[i].interpreter == NULL)
			assert_null(facts.interpreter);
		else
			assert_string_equal(facts.interpreter, small[i].interpreter);
		if (small[i].argument == NULL)
			assert_null(facts.argument);
		else
			assert_string_equal(facts.argument, small[i].argument);
	}
}

/* Ways to damage a file; all ones there are no offset, size or count that any file has. */
static const struct {
	size_t at32, at64, len32, len64;
} harms[] = {
	{ offsetof(Elf32_Ehdr, e_phoff), offsetof(Elf64_Ehdr, e_phoff), 4, 8 },
	{ offsetof(Elf32_Ehdr, e_phnum), offsetof(Elf64_Ehdr, e_phnum), 2, 2 },
	{ offsetof(Elf32_Ehdr, e_phentsize), offsetof(Elf64_Ehdr, e_phentsize), 2, 2 },
	{ offsetof(Elf32_Ehdr, e_shoff), offsetof(Elf64_Ehdr, e_shoff), 4, 8 },
	{ offsetof(Elf32_Ehdr, e_shentsize), offsetof(Elf64_Ehdr, e_shentsize), 2, 2 },
	{ EI_CLASS, EI_CLASS, 1, 1 },
	{ EI_DATA, EI_DATA, 1, 1 },
	{ EW_PHDRS + offsetof(Elf32_Phdr, p_offset), EW_PHDRS + offsetof(Elf64_Phdr, p_offset), 4,
	  8 },
	{ EW_PHDRS + offsetof(Elf32_Phdr, p_filesz), EW_PHDRS + offsetof(Elf64_Phdr, p_filesz), 4,
	  8 },
	{ EW_PHDRS + 32 + offsetof(Elf32_Phdr, p_filesz),
	  EW_PHDRS + 56 + offsetof(Elf64_Phdr, p_filesz), 4, 8 },
	{ EW_PHDRS + 32 + offsetof(Elf32_Phdr, p_offset),
	  EW_PHDRS + 56 + offsetof(Elf64_Phdr, p_offset), 4, 8 },
	{ EW_DYNAMIC + 4, EW_DYNAMIC + 8, 4, 8 },
	{ EW_VERNEED + 4, EW_VERNEED + 4, 4, 4 },
	{ EW_VERNEED + 8, EW_VERNEED + 8, 4, 4 },
	{ EW_VERDEF + 12, EW_VERDEF + 12, 4, 4 },
};

/* For each of the 16 rows 15 kinds of harm and 6 places to cut: 336 files. */
static void damaged_files_are_reported(void **state)
{
	static const size_t cuts[] = { 5, 17, 40, 65, 600, EW_SIZE - 1 };
	size_t count = 0;

	(void)state;
	for (size_t i = 0; xb_arch_at(i) != NULL; i++) {
		struct ew e = of_arch(xb_arch_at(i), ET_DYN);
		struct ew_file whole, f;

		e.interpreter = "/lib/ld.so";
		e.needed[0] = "libc.so.6";
		e.version_file = "libc.so.6";
		e.version = "GLIBC_2.38";
		e.defined = "LIBX_1";
		ew_write(&e, &whole);
		for (size_t k = 0; k < XB_COUNT(harms) + XB_COUNT(cuts); k++) {
			xb_auto_facts struct xb_facts facts = { 0 };
			bool wide = e.class == ELFCLASS64, cut = k >= XB_COUNT(harms);

			f = whole;
			if (!cut)
				memset(f.bytes + (wide ? harms[k].at64 : harms[k].at32), 0xff,
				       wide ? harms[k].len64 : harms[k].len32);
			read_facts(f.bytes, cut ? cuts[k - XB_COUNT(harms)] : EW_SIZE, &facts);
			if (facts.damage == NULL)
				print_error("row %zu, harm %zu is not found\n", i, k);
			assert_non_null(facts.damage);
			count++;
		}
	}
	assert_true(count >= 200);
}

/* Each byte of a file with everything, to four values: nothing is read that is not there. */
static void no_byte_makes_it_read_elsewhere(void **state)
{
	static const unsigned char values[] = { 0x00, 0x7f, 0x80, 0xff };
	static const size_t rows[] = { 1, 2, 8, 13 };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		struct ew e = of_arch(xb_arch_at(rows[i]), ET_DYN);
		struct ew_file whole, f;

		e.interpreter = "/lib/ld.so";
		e.needed[0] = "libc.so.6";
		e.version_file = "libc.so.6";
		e.version = "GLIBC_2.38";
		e.defined = "LIBX_1";
		memcpy(e.properties, (uint32_t[]){ 0xc0000002, 3, 0xc0008002, 7 }, 16);
		ew_write(&e, &whole);
		for (size_t at = SELFMAG; at < 0xa00; at++)
			for (size_t v = 0; v < XB_COUNT(values); v++) {
				xb_auto_facts struct xb_facts facts = { 0 };

				f = whole;
				f.bytes[at] = values[v];
				read_facts(f.bytes, 0xa00 + at % 7, &facts);
				assert_int_equal(facts.kind, XB_FACTS_ELF);
			}
	}
}

static ssize_t read_failing(void *context, void *to, size_t len, uint64_t offset,
			    struct xb_error *err)
{
	int *left = context;

	if ((*left)-- == 0)
		return xb_error_set(err, -EIO, "reading the layer");
	memset(to, 0, len);
	if (offset == 0)
		memcpy(to, "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0", len < 16 ? len : 16);
	return (ssize_t)len;
}

static void errors_of_reading_are_errors(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		xb_auto_facts struct xb_facts facts = { 0 };
		int left = i;
		struct xb_facts_source source = { .read = read_failing,
						  .context = &left,
						  .size = 1000 };

		assert_int_equal(xb_facts_read(&source, &facts, &err), -EIO);
		assert_string_equal(err.message, "reading the layer");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_the_linker_is_told_is_read),
		cmocka_unit_test(a_program_without_libraries_is_static),
		cmocka_unit_test(notes_and_records_are_read),
		cmocka_unit_test(members_of_archives_are_told_apart),
		cmocka_unit_test(small_files_are_what_they_are),
		cmocka_unit_test(damaged_files_are_reported),
		cmocka_unit_test(no_byte_makes_it_read_elsewhere),
		cmocka_unit_test(errors_of_reading_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
