/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of the audit: each has files that it finds and files that it lets pass. */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "platforms/arch.h"
#include "platforms/audit.h"

#define N XB_AUDIT_NOTE
#define W XB_AUDIT_WARNING
#define E XB_AUDIT_ERROR

/* A file's code in short: class and byte order, machine, flags; the rest is named. Type 0 stands
 * for ET_DYN. */
#define LE64(m, f)  .class = ELFCLASS64, .data = ELFDATA2LSB, .machine = (m), .flags = (f)
#define BE64(m, f)  .class = ELFCLASS64, .data = ELFDATA2MSB, .machine = (m), .flags = (f)
#define LE32(m, f)  .class = ELFCLASS32, .data = ELFDATA2LSB, .machine = (m), .flags = (f)
#define BE32(m, f)  .class = ELFCLASS32, .data = ELFDATA2MSB, .machine = (m), .flags = (f)
#define ARM(f)	    LE32(EM_ARM, 0x05000000u | (f))
#define CORE(a, fp) .arm = { .present = true, .cpu_arch = (a), .profile = 'A', .fp_arch = (fp) }
#define RV(f)	    LE64(EM_RISCV, (f))

/* `id` NULL: nothing is found. */
static const struct row {
	const char *platform, *path, *id;
	enum xb_audit_grade grade;
	struct xb_elf_code code;
} rows[] = {
	{ "linux/amd64", "/bin/x", NULL, N, { LE64(EM_X86_64, 0) } },
	{ "linux/amd64", "/bin/x", "elf-machine", E, { LE64(EM_AARCH64, 0) } },
	{ "linux/amd64", "/lib/x.o", "elf-machine", W, { LE64(EM_AARCH64, 0), .type = ET_REL } },
	{ "linux/amd64",
	  "/x.debug",
	  "elf-machine",
	  W,
	  { LE64(EM_AARCH64, 0), .debug_only = true } },
	{ "linux/amd64", "/x.ko", NULL, N, { LE64(EM_X86_64, 0), .type = ET_REL } },
	{ "linux/386", "/bin/x", "elf-machine", E, { LE64(EM_X86_64, 0) } },
	{ "linux/386", "/bin/x", NULL, N, { LE32(EM_386, 0) } },
	{ "linux/amd64", "/bin/x", "elf-32bit", W, { LE32(EM_386, 0) } },
	{ "linux/arm64", "/bin/x", "elf-32bit", W, { ARM(0x400) } },
	{ "linux/s390x", "/bin/x", "elf-32bit", W, { BE32(EM_S390, 0) } },
	{ "linux/mips64le", "/bin/x", "elf-32bit", W, { LE32(EM_MIPS, EF_MIPS_ABI2) } },
	{ "linux/mips64", "/bin/x", "elf-32bit", W, { BE32(EM_MIPS, 0x1000) } },
	{ "linux/arm/v7", "/bin/x", "elf-machine", E, { LE64(EM_AARCH64, 0) } },
	{ "linux/arm64", "/bin/x", "elf-machine", E, { LE32(EM_386, 0) } },
	{ "linux/amd64", "/bin/x", "elf-x32", W, { LE32(EM_X86_64, 0) } },
	{ "linux/arm64", "/bin/x", "elf-byte-order", E, { BE64(EM_AARCH64, 0) } },
	{ "linux/ppc64le", "/bin/x", "elf-byte-order", E, { BE64(EM_PPC64, 1) } },
	{ "linux/mips", "/bin/x", "elf-byte-order", E, { LE32(EM_MIPS, 0x1000) } },
	{ "linux/arm64", "/bin/x", "elf-class", E, { LE32(EM_AARCH64, 0) } },
	{ "linux/riscv64", "/bin/x", "elf-class", E, { LE32(EM_RISCV, 4) } },
	{ "linux/mips", "/bin/x", "elf-class", E, { BE64(EM_MIPS, 0) } },
	{ "linux/mipsle", "/bin/x", "mips-abi", E, { LE32(EM_MIPS, EF_MIPS_ABI2) } },
	{ "linux/mipsle", "/bin/x", NULL, N, { LE32(EM_MIPS, 0x70001000) } },
	/* what is foreign by design */
	{ "linux/amd64", "/core", "elf-core", W, { LE64(EM_X86_64, 0), .type = ET_CORE } },
	{ "linux/amd64", "/lib/firmware/a.fw", "elf-firmware", N, { BE32(EM_PPC, 0) } },
	{ "linux/amd64",
	  "/usr/lib/bpf/x.o",
	  "elf-firmware",
	  N,
	  { LE64(EM_BPF, 0), .type = ET_REL } },
	{ "linux/amd64", "/lib/firmware/amd", NULL, N, { LE64(EM_X86_64, 0) } },
	{ "linux/amd64", "/usr/bin/a.fw", "elf-machine", E, { BE32(EM_PPC, 0) } },
	{ "linux/amd64",
	  "/boot/vmlinux",
	  "elf-firmware",
	  N,
	  { LE64(EM_AARCH64, 0), .type = ET_EXEC } },
	{ "linux/arm64", "/opt/x.o", "elf-guest", N, { LE64(EM_BPF, 0), .type = ET_REL } },
	{ "linux/arm64", "/opt/x", "elf-guest", N, { LE32(EM_AVR, 0) } },
	{ "linux/arm64", "/opt/x", "elf-guest", N, { LE32(EM_XTENSA, 0) } },
	{ "linux/amd64", "/opt/x", "elf-guest", N, { LE64(EM_AMDGPU, 0) } },
	{ "linux/amd64", "/opt/x", "elf-guest", N, { LE64(EM_CUDA, 0) } },
	{ "linux/amd64",
	  "/opt/x",
	  "elf-guest",
	  N,
	  { LE64(EM_RISCV, 4), .osabi = ELFOSABI_STANDALONE } },
	{ "linux/arm/v7",
	  "/opt/x",
	  "elf-guest",
	  N,
	  { ARM(0), .arm = { .present = true, .cpu_arch = 13, .profile = 'M' } } },
	{ "linux/amd64",
	  "/usr/aarch64-linux-gnu/lib/libc.so.6",
	  "elf-sysroot",
	  W,
	  { LE64(EM_AARCH64, 0) } },
	{ "linux/amd64",
	  "/usr/lib/arm-linux-gnueabihf/libc.so.6",
	  "elf-sysroot",
	  W,
	  { ARM(0x400) } },
	{ "linux/arm64",
	  "/usr/lib/x86_64-linux-gnu/libc.so.6",
	  "elf-sysroot",
	  W,
	  { LE64(EM_X86_64, 0) } },
	{ "linux/amd64", "/usr/i686-linux-gnu/lib/x.so", "elf-sysroot", W, { LE32(EM_386, 0) } },
	{ "linux/amd64",
	  "/usr/powerpc64le-linux-gnu/lib/x.so",
	  "elf-sysroot",
	  W,
	  { LE64(EM_PPC64, 2) } },
	{ "linux/amd64",
	  "/usr/lib/x86_64-linux-gnu/libc.so.6",
	  "elf-machine",
	  E,
	  { LE64(EM_AARCH64, 0) } },
	{ "linux/amd64",
	  "/usr/bin/aarch64-linux-gnu-gcc",
	  "elf-machine",
	  E,
	  { LE64(EM_AARCH64, 0) } },
	{ "linux/amd64", "/usr/bin/aarch64-linux-gnu-gcc", NULL, N, { LE64(EM_X86_64, 0) } },
	{ "linux/amd64",
	  "/bin/x",
	  "elf-osabi",
	  W,
	  { LE64(EM_X86_64, 0), .osabi = ELFOSABI_FREEBSD } },
	{ "linux/amd64", "/bin/x", NULL, N, { LE64(EM_X86_64, 0), .osabi = ELFOSABI_GNU } },
	{ "freebsd/amd64", "/bin/x", NULL, N, { LE64(EM_X86_64, 0), .osabi = ELFOSABI_FREEBSD } },
	{ "freebsd/amd64", "/bin/x", "elf-machine", E, { LE64(EM_AARCH64, 0) } },
	/* arm */
	{ "linux/arm/v7", "/bin/x", "arm-eabi", E, { LE32(EM_ARM, 0) } },
	{ "linux/arm/v7", "/bin/x", "arm-eabi", E, { LE32(EM_ARM, 0x04000000) } },
	{ "linux/arm/v7", "/bin/x", NULL, N, { ARM(0x400), CORE(10, 3) } },
	{ "linux/arm/v6", "/bin/x", "arm-cpu", E, { ARM(0x400), CORE(10, 2) } },
	{ "linux/arm/v6", "/x.o", "arm-cpu", W, { ARM(0), CORE(10, 2), .type = ET_REL } },
	{ "linux/arm/v6", "/bin/x", "arm-cpu", E, { ARM(0x400), CORE(8, 2) } },
	{ "linux/arm/v6", "/bin/x", NULL, N, { ARM(0x400), CORE(6, 2) } },
	{ "linux/arm/v6", "/bin/x", NULL, N, { ARM(0x400), CORE(7, 2) } },
	{ "linux/arm/v6", "/bin/x", NULL, N, { ARM(0x200), CORE(4, 0) } },
	{ "linux/arm/v5", "/bin/x", "arm-cpu", E, { ARM(0x200), CORE(6, 0) } },
	{ "linux/arm/v5", "/bin/x", NULL, N, { ARM(0x200), CORE(5, 0) } },
	{ "linux/arm/v7", "/bin/x", "arm-cpu", E, { ARM(0x400), CORE(14, 7) } },
	{ "linux/arm/v8", "/bin/x", NULL, N, { ARM(0x400), CORE(14, 7) } },
	{ "linux/arm/v6", "/bin/x", "arm-fpu", E, { ARM(0x400), CORE(6, 3) } },
	{ "linux/arm/v6",
	  "/bin/x",
	  "arm-fpu",
	  E,
	  { ARM(0x400), .arm = { .present = true, .cpu_arch = 6, .fp_arch = 2, .simd_arch = 1 } } },
	{ "linux/arm/v5", "/bin/x", "arm-fpu", E, { ARM(0x200), CORE(5, 2) } },
	{ "linux/arm/v7", "/bin/x", "arm-fpu", E, { ARM(0x400), CORE(10, 7) } },
	{ "linux/arm/v7", "/bin/x", NULL, N, { ARM(0x400), CORE(10, 6) } },
	{ "linux/arm/v5", "/bin/x", "arm-hard-float", E, { ARM(0x400) } },
	{ "linux/arm/v5",
	  "/lib/x.o",
	  "arm-hard-float",
	  W,
	  { ARM(0), .type = ET_REL, .arm = { .present = true, .vfp_args = 1 } } },
	{ "linux/arm/v5", "/bin/x", NULL, N, { ARM(0x200) } },
	{ "linux/arm/v7", "/lib/x", "arm-soft-float", W, { ARM(0x200) } },
	{ "linux/arm/v7", "/bin/x", NULL, N, { ARM(0x200), .type = ET_EXEC } }, /* static */
	{ "linux/arm/v7", "/bin/x", NULL, N, { ARM(0) } },
	/* amd64 levels: bit 0 is the baseline */
	{ "linux/amd64", "/bin/x", "amd64-level", E, { LE64(EM_X86_64, 0), .x86_needed = 7 } },
	{ "linux/amd64", "/bin/x", "amd64-level", E, { LE64(EM_X86_64, 0), .x86_needed = 2 } },
	{ "linux/amd64", "/bin/x", NULL, N, { LE64(EM_X86_64, 0), .x86_needed = 1 } },
	{ "linux/amd64/v2", "/bin/x", "amd64-level", E, { LE64(EM_X86_64, 0), .x86_needed = 7 } },
	{ "linux/amd64/v3", "/bin/x", NULL, N, { LE64(EM_X86_64, 0), .x86_needed = 7 } },
	{ "linux/amd64/v3", "/bin/x", "amd64-level", E, { LE64(EM_X86_64, 0), .x86_needed = 15 } },
	{ "linux/amd64/v4", "/bin/x", NULL, N, { LE64(EM_X86_64, 0), .x86_needed = 15 } },
	{ "linux/amd64",
	  "/usr/lib/glibc-hwcaps/x86-64-v3/x.so",
	  NULL,
	  N,
	  { LE64(EM_X86_64, 0), .x86_needed = 7 } },
	{ "linux/amd64",
	  "/usr/lib/glibc-hwcaps/x86-64-v2/x.so",
	  "amd64-level",
	  E,
	  { LE64(EM_X86_64, 0), .x86_needed = 7 } },
	{ "linux/amd64", "/bin/x", "amd64-level-used", N, { LE64(EM_X86_64, 0), .x86_used = 7 } },
	{ "linux/amd64/v3", "/bin/x", NULL, N, { LE64(EM_X86_64, 0), .x86_used = 7 } },
	/* riscv64 */
	{ "linux/riscv64", "/bin/x", NULL, N, { RV(5) } },
	{ "linux/riscv64", "/bin/x", "riscv-float", E, { RV(0) } },
	{ "linux/riscv64", "/bin/x", "riscv-float", E, { RV(2) } },
	{ "linux/riscv64", "/bin/x", "riscv-float", E, { RV(6) } },
	{ "linux/riscv64", "/bin/x", "riscv-embedded", E, { RV(0xc) } },
	{ "linux/riscv64",
	  "/bin/x",
	  "riscv-vector",
	  W,
	  { RV(5), .riscv_arch = "rv64i2p0_m2p0_v1p0_zba1p0" } },
	{ "linux/riscv64", "/bin/x", NULL, N, { RV(5), .riscv_arch = "rv64i2p0_m2p0_zvl128b1p0" } },
	{ "linux/riscv64",
	  "/bin/x",
	  NULL,
	  N,
	  { RV(5), .riscv_arch = "rv64i2p0_m2p0_a2p0_f2p0_d2p0_c2p0" } },
	{ "linux/riscv64/rva23u64", "/bin/x", NULL, N, { RV(5), .riscv_arch = "rv64i2p0_v1p0" } },
	/* mips */
	{ "linux/mips64le", "/bin/x", NULL, N, { LE64(EM_MIPS, 0x80000000) } },
	{ "linux/mips64le", "/bin/x", "mips-r6", E, { LE64(EM_MIPS, 0xa0000400) } },
	{ "linux/mipsle", "/bin/x", "mips-r6", E, { LE32(EM_MIPS, 0x90001400) } },
	{ "linux/mips64", "/bin/x", "mips-r6", E, { BE64(EM_MIPS, 0), .mips = { .isa_rev = 6 } } },
	{ "linux/mips64le", "/bin/x", "mips-nan", W, { LE64(EM_MIPS, 0x80000400) } },
	{ "linux/mips64le",
	  "/bin/x",
	  "mips-soft-float",
	  W,
	  { LE64(EM_MIPS, 0), .mips = { .fp_abi = 3 } } },
	{ "linux/mips64le", "/bin/x", NULL, N, { LE64(EM_MIPS, 0), .mips = { .fp_abi = 6 } } },
	/* ppc64 and the rest */
	{ "linux/ppc64le", "/bin/x", NULL, N, { LE64(EM_PPC64, 2) } },
	{ "linux/ppc64le", "/bin/x", NULL, N, { LE64(EM_PPC64, 0) } },
	{ "linux/ppc64le", "/bin/x", "ppc64-abi", E, { LE64(EM_PPC64, 1) } },
	{ "linux/ppc64", "/bin/x", NULL, N, { BE64(EM_PPC64, 1) } },
	{ "linux/loong64", "/bin/x", NULL, N, { LE64(EM_LOONGARCH, 3) } },
	{ "linux/sparc64", "/bin/x", NULL, N, { LE64(EM_X86_64, 0) } }, /* not in the table */
	{ "windows/amd64", "/x", "elf-foreign", W, { LE64(EM_X86_64, 0) } },
	{ "darwin/arm64", "/x", "elf-foreign", W, { LE64(EM_AARCH64, 0) } },
	{ "wasi/wasm", "/x", "elf-foreign", W, { LE64(EM_X86_64, 0) } },
};

static struct xb_platform platform_of(const char *text)
{
	const struct xb_platform defaults = { .os = "linux", .arch = "amd64" };
	struct xb_platform p;

	assert_int_equal(xb_platform_parse(xb_view(text), &defaults, &p, NULL), 0);
	return p;
}

static const struct xb_audit_finding *find(const struct xb_audit_findings *all, const char *id)
{
	for (size_t i = 0; i < all->len; i++)
		if (strcmp(all->items[i].rule->id, id) == 0)
			return &all->items[i];
	return NULL;
}

static void check(const struct row *row)
{
	xb_auto_audit_findings struct xb_audit_findings found = { 0 };
	struct xb_facts facts = { .kind = XB_FACTS_ELF, .elf = row->code };
	struct xb_platform p = platform_of(row->platform);
	const struct xb_audit_finding *f;

	if (facts.elf.type == 0)
		facts.elf.type = ET_DYN;
	xb_audit_file(row->path, &facts, &p, &found);
	for (size_t i = 0; row->id == NULL && i < found.len; i++)
		print_error("%s in %s: %s\n", row->path, row->platform, found.items[i].sentence);
	if (row->id == NULL) {
		assert_int_equal(found.len, 0);
		return;
	}
	f = find(&found, row->id);
	if (f == NULL)
		print_error("%s in %s: no %s\n", row->path, row->platform, row->id);
	assert_non_null(f);
	assert_int_equal(f->grade, row->grade);
	/* Both sides are named. */
	assert_non_null(strstr(f->sentence, xb_platform_name(&p).text));
	assert_non_null(strstr(f->sentence, "-bit, "));
}

static void every_row_is_found_or_passes(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(rows); i++)
		check(&rows[i]);
}

/* Each row of the table of architectures in each platform: 256 files. */
static void a_swapped_file_is_found_everywhere(void **state)
{
	const struct xb_arch *a, *b;

	(void)state;
	for (size_t i = 0; (a = xb_arch_at(i)) != NULL; i++)
		for (size_t k = 0; (b = xb_arch_at(k)) != NULL; k++) {
			xb_auto_audit_findings struct xb_audit_findings found = { 0 };
			struct xb_platform p = xb_arch_platform(b);
			struct xb_facts facts = { .kind = XB_FACTS_ELF,
						  .elf = { .class = a->elf_class,
							   .data = a->elf_data,
							   .type = ET_DYN,
							   .machine = a->elf_machine,
							   .flags = a->flags_value } };

			if (a->elf_machine == EM_RISCV)
				facts.elf.flags = 4;
			xb_audit_file("/usr/bin/x", &facts, &p, &found);
			assert_int_equal(found.len, xb_arch_same_elf(a, b) ? 0 : 1);
			if (found.len == 0)
				continue;
			assert_true(found.items[0].grade >= XB_AUDIT_WARNING);
			assert_non_null(strstr(found.items[0].sentence, a->name));
			assert_non_null(strstr(found.items[0].sentence, b->name));
		}
}

static const struct {
	const char *platform, *id;
	enum xb_audit_grade grade;
	struct xb_facts facts;
} others[] = {
	{ "linux/amd64", "pe-foreign", N, { .kind = XB_FACTS_PE, .pe_machine = 0x8664 } },
	{ "windows/amd64", NULL, N, { .kind = XB_FACTS_PE, .pe_machine = 0x8664 } },
	{ "windows/amd64", "pe-machine", E, { .kind = XB_FACTS_PE, .pe_machine = 0xaa64 } },
	{ "windows/arm64", "pe-machine", E, { .kind = XB_FACTS_PE, .pe_machine = 0x8664 } },
	{ "windows/amd64", "pe-machine", E, { .kind = XB_FACTS_PE, .pe_machine = 0x14c } },
	{ "windows/amd64",
	  NULL,
	  N,
	  { .kind = XB_FACTS_PE, .pe_machine = 0x14c, .pe_managed = true } },
	{ "linux/arm64",
	  "macho-foreign",
	  N,
	  { .kind = XB_FACTS_MACHO, .slices = { 0x0100000c }, .slices_len = 1 } },
	{ "darwin/arm64",
	  NULL,
	  N,
	  { .kind = XB_FACTS_MACHO, .slices = { 0x01000007, 0x0100000c }, .slices_len = 2 } },
	{ "darwin/arm64",
	  "macho-machine",
	  E,
	  { .kind = XB_FACTS_MACHO, .slices = { 0x01000007, 7 }, .slices_len = 2 } },
	{ "linux/amd64", "wasm-foreign", N, { .kind = XB_FACTS_WASM } },
	{ "wasi/wasm", NULL, N, { .kind = XB_FACTS_WASM } },
	{ "linux/amd64", NULL, N, { .kind = XB_FACTS_SCRIPT } },
	{ "linux/amd64", NULL, N, { .kind = XB_FACTS_OTHER } },
	{ "linux/amd64", "file-damaged", W, { .kind = XB_FACTS_AR, .damage = "cut off" } },
	{ "linux/amd64", NULL, N, { .kind = XB_FACTS_AR } },
	{ "linux/amd64", "file-partial", N, { .kind = XB_FACTS_AR, .partial = true } },
	{ "linux/amd64", "elf-damaged", E, { .kind = XB_FACTS_ELF, .damage = "cut off" } },
};

static void files_of_other_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(others); i++) {
		xb_auto_audit_findings struct xb_audit_findings found = { 0 };
		struct xb_platform p = platform_of(others[i].platform);

		xb_audit_file("/x", &others[i].facts, &p, &found);
		assert_int_equal(found.len, others[i].id != NULL);
		if (others[i].id == NULL)
			continue;
		assert_string_equal(found.items[0].rule->id, others[i].id);
		assert_int_equal(found.items[0].grade, others[i].grade);
	}
}

static void members_are_named(void **state)
{
	char one[] = "a.o", other[] = "b.o";
	xb_auto_audit_findings struct xb_audit_findings found = { 0 };
	struct xb_facts_member members[] = {
		{ .name = one, .count = 2, .elf = { LE64(EM_X86_64, 0), .type = ET_REL } },
		{ .name = other, .count = 3, .elf = { LE64(EM_AARCH64, 0), .type = ET_REL } },
	};
	struct xb_facts facts = { .kind = XB_FACTS_AR, .members = members, .members_len = 2 };
	struct xb_platform p = platform_of("linux/amd64");

	(void)state;
	xb_audit_file("/lib/x.a", &facts, &p, &found);
	assert_int_equal(found.len, 1);
	assert_int_equal(found.items[0].grade, XB_AUDIT_WARNING);
	assert_string_equal(found.items[0].sentence,
			    "member b.o and 2 more of the archive are for arm64 (64-bit, "
			    "little-endian), the image for linux/amd64: its machine is another");
}

/* So that no rule is added without a file that it finds. */
static void every_rule_has_a_file(void **state)
{
	const struct xb_audit_rule *rule;

	(void)state;
	for (size_t i = 0; (rule = xb_audit_rule_at(i)) != NULL; i++) {
		bool found = false;

		for (size_t k = 0; k < XB_COUNT(rows); k++)
			found = found || (rows[k].id != NULL && strcmp(rows[k].id, rule->id) == 0);
		for (size_t k = 0; k < XB_COUNT(others); k++)
			found = found ||
				(others[k].id != NULL && strcmp(others[k].id, rule->id) == 0);
		if (!found)
			print_error("no file for the rule %s\n", rule->id);
		assert_true(found);
	}
}

/* A library of ARM may ask the processor before it takes newer code, and some are known to. */
static void libraries_may_ask_first(void **state)
{
	static const struct {
		const char *soname;
		enum xb_audit_grade grade;
	} libraries[] = { { NULL, XB_AUDIT_ERROR },
			  { "libown.so.1", XB_AUDIT_WARNING },
			  { "libgcrypt.so.20", XB_AUDIT_NOTE },
			  { "libnettle.so.8", XB_AUDIT_NOTE } };
	struct xb_platform platform = { .os = "linux", .arch = "arm", .variant = "v7" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(libraries); i++) {
		xb_auto_str struct xb_str soname = XB_STR_INIT(64);
		struct xb_facts facts = { .kind = XB_FACTS_ELF,
					  .elf = { ARM(0x400), CORE(14, 7), .type = ET_DYN } };
		xb_auto_audit_findings struct xb_audit_findings found = { 0 };

		if (libraries[i].soname != NULL) {
			xb_str_puts(&soname, libraries[i].soname);
			facts.soname = soname.data;
		}
		xb_audit_file("/lib/x", &facts, &platform, &found);
		assert_int_equal(found.len, 1);
		assert_string_equal(found.items[0].rule->id, "arm-cpu");
		assert_int_equal(found.items[0].grade, libraries[i].grade);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_found_or_passes),
		cmocka_unit_test(a_swapped_file_is_found_everywhere),
		cmocka_unit_test(files_of_other_kinds),
		cmocka_unit_test(members_are_named),
		cmocka_unit_test(libraries_may_ask_first),
		cmocka_unit_test(every_rule_has_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
