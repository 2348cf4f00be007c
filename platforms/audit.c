/* SPDX-License-Identifier: Apache-2.0 */
#include "platforms/audit.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "platforms/arch.h"
#include "platforms/audit_elf.h"

/* PE and Mach-O machines. */
#define PE_386	 0x14c
#define PE_AMD64 0x8664
#define PE_ARM	 0x1c4
#define PE_ARM64 0xaa64

/* What a rule looks at. */
struct question {
	const char *path;
	const struct xb_facts *facts;
	const struct xb_elf_code *code; /* the file's, or that of an archive's member */
	const char *damage;
	struct xb_platform platform;
	const struct xb_arch *arch; /* the platform's row, NULL without one */
	bool member;		    /* `code` is of a member */
};

unsigned xb_audit_arm_eabi(const struct xb_elf_code *code)
{
	return code->flags >> 24;
}

enum xb_audit_float xb_audit_arm_float(const struct xb_elf_code *code)
{
	if ((code->flags & EF_ARM_ABI_FLOAT_HARD) != 0)
		return XB_AUDIT_FLOAT_HARD;
	if ((code->flags & EF_ARM_ABI_FLOAT_SOFT) != 0)
		return XB_AUDIT_FLOAT_SOFT;
	/* 0 is the default and also what code says that passes no such numbers. */
	return code->arm.vfp_args == 1 ? XB_AUDIT_FLOAT_HARD : XB_AUDIT_FLOAT_UNSAID;
}

bool xb_audit_mips_r6(const struct xb_elf_code *code)
{
	uint32_t isa = code->flags & EF_MIPS_ARCH;

	return isa == 0x90000000u || isa == 0xa0000000u || code->mips.isa_rev == 6;
}

unsigned xb_audit_amd64_level(uint32_t isa)
{
	unsigned level = 1;

	for (unsigned i = 1; i < 4; i++)
		if ((isa >> i & 1) != 0)
			level = i + 1;
	return level;
}

/* The number of a variant: 7 of "v7", 1 without one. */
static unsigned variant_of(const struct question *q)
{
	const char *v = q->platform.variant;

	return v[0] == 'v' && v[1] >= '1' && v[1] <= '9' ? (unsigned)(v[1] - '0') : 1;
}

static bool starts(const char *path, const char *prefix)
{
	return strncmp(path, prefix, strlen(prefix)) == 0;
}

static bool damaged(const struct question *q)
{
	return q->damage != NULL;
}

static bool is_core(const struct question *q)
{
	return q->code->type == ET_CORE;
}

/* Whether the header alone says that it is for the platform. */
static bool matches(const struct question *q)
{
	const struct xb_arch *a = q->arch;

	return a == NULL || (a->elf_class == q->code->class && a->elf_data == q->code->data &&
			     a->elf_machine == q->code->machine &&
			     (q->code->flags & a->flags_mask) == a->flags_value);
}

static bool in_firmware(const struct question *q)
{
	static const char *const places[] = {
		"/lib/firmware/",   "/usr/lib/firmware/", "/usr/lib/bpf/", "/usr/lib/u-boot/",
		"/usr/share/qemu/", "/usr/lib/ipxe/",	  "/boot/"
	};

	if (matches(q))
		return false;
	for (size_t i = 0; i < XB_COUNT(places); i++)
		if (starts(q->path, places[i]))
			return true;
	return false;
}

/* Code of processors that run no system of a container, or of systems without one. */
static bool is_guest(const struct question *q)
{
	static const uint16_t machines[] = {
		EM_BPF,	    EM_AVR,   EM_XTENSA,   EM_MSP430, EM_AMDGPU,       EM_CUDA,
		EM_TRICORE, EM_QDSP6, EM_BLACKFIN, EM_XCORE,  EM_ALTERA_NIOS2, EM_MICROBLAZE
	};

	if (q->code->machine == EM_ARM && q->code->arm.profile == 'M')
		return true;
	if (q->code->osabi == ELFOSABI_STANDALONE)
		return true;
	for (size_t i = 0; i < XB_COUNT(machines); i++)
		if (machines[i] == q->code->machine)
			return true;
	return false;
}

/* Whether a directory on the way is named for the file's machine, as sysroots are:
 * /usr/aarch64-linux-gnu/lib, /usr/lib/arm-linux-gnueabihf. */
static bool in_sysroot(const struct question *q)
{
	const struct xb_elf_code *code = q->code;
	const struct xb_arch *arch =
		xb_arch_of_elf(code->class, code->data, code->machine, code->flags);
	const char *at = q->path;

	if (matches(q) || arch == NULL)
		return false;
	while ((at = strchr(at, '/')) != NULL) {
		size_t len = strcspn(++at, "/");
		struct xb_view name = { at, len }, head;
		ptrdiff_t dash = xb_view_find(name, '-');

		if (dash <= 0 || at[len] != '/' || memmem(at, len, "linux", 5) == NULL)
			continue;
		head = xb_view_sub(name, 0, (size_t)dash);
		if (xb_view_is(head, arch->qemu) || xb_view_is(head, arch->machine) ||
		    (arch->elf_machine == EM_386 && head.len == 4 && at[0] == 'i') ||
		    (arch->elf_machine == EM_ARM && xb_view_starts(head, XB_VIEW("arm"))) ||
		    (arch->elf_machine == EM_PPC64 && xb_view_starts(head, XB_VIEW("powerpc64"))))
			return true;
	}
	return false;
}

/* Processors whose 32-bit programs a 64-bit one of the platform runs, as it is told to often. */
static bool is_32bit(const struct question *q)
{
	static const struct {
		const char *arch;
		uint16_t machine;
		uint8_t data;
	} pairs[] = {
		{ "amd64", EM_386, ELFDATA2LSB },   { "arm64", EM_ARM, ELFDATA2LSB },
		{ "s390x", EM_S390, ELFDATA2MSB },  { "ppc64", EM_PPC, ELFDATA2MSB },
		{ "mips64", EM_MIPS, ELFDATA2MSB }, { "mips64le", EM_MIPS, ELFDATA2LSB },
	};

	if (q->arch == NULL || q->code->class != ELFCLASS32)
		return false;
	for (size_t i = 0; i < XB_COUNT(pairs); i++)
		if (strcmp(pairs[i].arch, q->arch->name) == 0 &&
		    pairs[i].machine == q->code->machine && pairs[i].data == q->code->data)
			return true;
	return false;
}

static bool is_x32(const struct question *q)
{
	return q->arch != NULL && q->arch->elf_machine == EM_X86_64 &&
	       q->code->machine == EM_X86_64 && q->code->class == ELFCLASS32;
}

static bool other_machine(const struct question *q)
{
	return q->arch != NULL && q->arch->elf_machine != q->code->machine;
}

static bool other_order(const struct question *q)
{
	return q->arch != NULL && q->arch->elf_data != q->code->data;
}

static bool other_class(const struct question *q)
{
	return q->arch != NULL && q->arch->elf_class != q->code->class;
}

/* Machine, class and order are right: what is left of a row's flags is ARM's EABI or MIPS's n32. */
static bool other_eabi(const struct question *q)
{
	return q->code->machine == EM_ARM && !matches(q);
}

static bool other_mips(const struct question *q)
{
	return q->code->machine == EM_MIPS && !matches(q);
}

static bool other_system(const struct question *q)
{
	uint8_t abi = q->code->osabi;

	if (strcmp(q->platform.os, "linux") != 0)
		return false;
	/* BPF and the like were told of before; 97 is what old ARM programs have. */
	return abi != ELFOSABI_SYSV && abi != ELFOSABI_GNU && abi != ELFOSABI_ARM &&
	       abi != ELFOSABI_ARM_AEABI;
}

static bool is_arm(const struct question *q)
{
	return q->arch != NULL && q->arch->elf_machine == EM_ARM;
}

/* ARMv6T2 has what no ARM11 of a small computer has, hence it is no ARMv6. */
static bool newer_arm(const struct question *q)
{
	uint32_t core = q->code->arm.cpu_arch;
	unsigned have = variant_of(q);

	if (!is_arm(q) || !q->code->arm.present)
		return false;
	if (have <= 5)
		return core > 5;
	if (have == 6)
		return core > 9 || core == 8;
	return have == 7 && core > 10;
}

static bool newer_vfp(const struct question *q)
{
	uint32_t fp = q->code->arm.fp_arch;
	unsigned have = variant_of(q);

	if (!is_arm(q) || newer_arm(q))
		return false;
	if (have <= 5)
		return fp > 0;
	if (have == 6)
		return fp > 2 || q->code->arm.simd_arch > 0;
	return have == 7 && fp > 6;
}

static bool hard_in_soft(const struct question *q)
{
	return is_arm(q) && variant_of(q) <= 5 &&
	       xb_audit_arm_float(q->code) == XB_AUDIT_FLOAT_HARD;
}

/* Static programs pass nothing to anyone. */
static bool soft_in_hard(const struct question *q)
{
	return is_arm(q) && variant_of(q) >= 7 && !xb_facts_is_static(q->facts) &&
	       xb_audit_arm_float(q->code) == XB_AUDIT_FLOAT_SOFT;
}

static bool is_amd64(const struct question *q)
{
	return q->arch != NULL && q->arch->elf_machine == EM_X86_64;
}

/* glibc's linker takes files of such directories only where the processor is of that level. */
static unsigned level_of_path(const char *path)
{
	const char *at = strstr(path, "/glibc-hwcaps/x86-64-v");

	return at == NULL ? 1 : (unsigned)(at[strlen("/glibc-hwcaps/x86-64-v")] - '0');
}

static unsigned amd64_have(const struct question *q)
{
	unsigned path = level_of_path(q->path), have = variant_of(q);

	return path > have && path <= 4 ? path : have;
}

static bool newer_amd64(const struct question *q)
{
	return is_amd64(q) && xb_audit_amd64_level(q->code->x86_needed) > amd64_have(q);
}

static bool newer_amd64_used(const struct question *q)
{
	return is_amd64(q) && !newer_amd64(q) &&
	       xb_audit_amd64_level(q->code->x86_used) > amd64_have(q);
}

static bool is_riscv(const struct question *q)
{
	return q->arch != NULL && q->arch->elf_machine == EM_RISCV;
}

static bool other_riscv_float(const struct question *q)
{
	return is_riscv(q) && (q->code->flags & EF_RISCV_FLOAT_ABI) != EF_RISCV_FLOAT_ABI_DOUBLE;
}

static bool embedded_riscv(const struct question *q)
{
	return is_riscv(q) && (q->code->flags & EF_RISCV_RVE) != 0;
}

/* Whether the one-letter extension 'v' is in "rv64i2p0_m2p0_v1p0_zba1p0": letters follow the base
 * or a '_', each with a version; longer names begin with z, s or x. */
static bool has_vectors(const char *arch)
{
	const char *at = starts(arch, "rv64") ? arch + 4 : arch;

	for (bool first = true; *at != '\0'; first = false) {
		size_t len = strcspn(at, "_");

		if (!first && (*at == 'z' || *at == 's' || *at == 'x'))
			return false;
		if (memchr(at, 'v', len) != NULL)
			return true;
		at += len + (at[len] == '_');
	}
	return false;
}

/* Profiles are variants of riscv64: rva20u64, where none is given; rva23u64 has vectors. */
static bool newer_riscv(const struct question *q)
{
	return is_riscv(q) && strcmp(q->platform.variant, "rva23u64") != 0 &&
	       has_vectors(q->code->riscv_arch);
}

static bool is_mips(const struct question *q)
{
	return q->arch != NULL && q->arch->elf_machine == EM_MIPS;
}

static bool mips_release6(const struct question *q)
{
	return is_mips(q) && xb_audit_mips_r6(q->code);
}

static bool mips_nan(const struct question *q)
{
	return is_mips(q) && !xb_audit_mips_r6(q->code) && (q->code->flags & EF_MIPS_NAN2008) != 0;
}

static bool mips_soft(const struct question *q)
{
	return is_mips(q) && q->code->mips.fp_abi == XB_AUDIT_MIPS_SOFT;
}

static bool ppc64_elfv1(const struct question *q)
{
	return q->arch != NULL && strcmp(q->arch->name, "ppc64le") == 0 &&
	       (q->code->flags & 3) == 1;
}

#define AGAIN "build it again for the image's platform, or copy it from a stage of that platform"

/* In the order in which they are asked; `last` ends the asking. */
static const struct elf_rule {
	struct xb_audit_rule rule;
	bool last;
	bool (*applies)(const struct question *q);
} elf_rules[] = {
	{ { "elf-damaged", XB_AUDIT_ERROR, "the file is damaged",
	    "fetch or build it again; a test's file can be allowed" },
	  true,
	  damaged },
	{ { "elf-core", XB_AUDIT_WARNING, "it is the memory of a process that crashed",
	    "remove it in the step that left it; it may hold secrets" },
	  true,
	  is_core },
	{ { "elf-firmware", XB_AUDIT_NOTE, "it is firmware or a guest's", "nothing" },
	  true,
	  in_firmware },
	{ { "elf-guest", XB_AUDIT_NOTE, "it is not for the processor of a container", "nothing" },
	  true,
	  is_guest },
	{ { "elf-sysroot", XB_AUDIT_WARNING, "it lies in a directory of its own architecture",
	    "leave cross compilers and foreign libraries in the stage that builds" },
	  true,
	  in_sysroot },
	{ { "elf-32bit", XB_AUDIT_WARNING, "it is of the 32-bit relative",
	    "make sure that it is meant, and that 32-bit programs are run where the image is" },
	  true,
	  is_32bit },
	{ { "elf-x32", XB_AUDIT_WARNING, "it is of the x32 ABI, which most kernels do not run",
	    AGAIN },
	  true,
	  is_x32 },
	{ { "elf-machine", XB_AUDIT_ERROR, "its machine is another", AGAIN }, true, other_machine },
	{ { "elf-byte-order", XB_AUDIT_ERROR, "its byte order is the other", AGAIN },
	  true,
	  other_order },
	{ { "elf-class", XB_AUDIT_ERROR, "its class is the other", AGAIN }, true, other_class },
	{ { "arm-eabi", XB_AUDIT_ERROR, "its ABI is older than EABI 5", AGAIN }, true, other_eabi },
	{ { "mips-abi", XB_AUDIT_ERROR, "its ABI is not that of the platform", AGAIN },
	  true,
	  other_mips },
	{ { "elf-osabi", XB_AUDIT_WARNING, "it is for another operating system", AGAIN },
	  false,
	  other_system },
	{ { "arm-cpu", XB_AUDIT_ERROR, "it has instructions of a newer architecture",
	    "compile it with -march of the platform (armv6 with -mfpu=vfp for arm/v6)" },
	  false,
	  newer_arm },
	{ { "arm-fpu", XB_AUDIT_ERROR, "it has instructions of a newer floating point unit",
	    "compile it with -mfpu of the platform (vfp for arm/v6)" },
	  false,
	  newer_vfp },
	{ { "arm-hard-float", XB_AUDIT_ERROR, "it passes numbers in registers that are not there",
	    "compile it with -mfloat-abi=soft, or take an armel base" },
	  false,
	  hard_in_soft },
	{ { "arm-soft-float", XB_AUDIT_WARNING,
	    "it passes numbers otherwise than the platform's libraries",
	    "compile it with -mfloat-abi=hard, or take an armhf base" },
	  false,
	  soft_in_hard },
	{ { "amd64-level", XB_AUDIT_ERROR, "it needs a newer level of the architecture",
	    "compile it with -march of the platform (x86-64), or call the image amd64/vN" },
	  false,
	  newer_amd64 },
	{ { "amd64-level-used", XB_AUDIT_NOTE,
	    "it has code of a newer level, maybe behind a question to the processor", "nothing" },
	  false,
	  newer_amd64_used },
	{ { "riscv-float", XB_AUDIT_ERROR, "its floating point ABI is not lp64d",
	    "compile it with -mabi=lp64d" },
	  false,
	  other_riscv_float },
	{ { "riscv-embedded", XB_AUDIT_ERROR, "it is for processors with 16 registers",
	    "compile it with -march=rv64gc" },
	  false,
	  embedded_riscv },
	{ { "riscv-vector", XB_AUDIT_WARNING,
	    "it has vector instructions, maybe behind a question to the processor",
	    "compile it with -march=rv64gc, or call the image riscv64/rva23u64" },
	  false,
	  newer_riscv },
	{ { "mips-r6", XB_AUDIT_ERROR, "it is for release 6, which is another instruction set",
	    "compile it with -march=mips32r2 or mips64r2" },
	  false,
	  mips_release6 },
	{ { "mips-nan", XB_AUDIT_WARNING, "its numbers that are none are of IEEE 754-2008",
	    "compile it with -mnan=legacy" },
	  false,
	  mips_nan },
	{ { "mips-soft-float", XB_AUDIT_WARNING,
	    "it passes numbers otherwise than the platform's libraries",
	    "compile it with -mhard-float" },
	  false,
	  mips_soft },
	{ { "ppc64-abi", XB_AUDIT_ERROR, "its ABI is ELFv1", "compile it with -mabi=elfv2" },
	  false,
	  ppc64_elfv1 },
};

enum other_rule {
	FILE_DAMAGED,
	FILE_PARTIAL,
	PE_FOREIGN,
	PE_MACHINE,
	MACHO_FOREIGN,
	MACHO_MACHINE,
	WASM_FOREIGN,
	ELF_FOREIGN
};

static const struct xb_audit_rule other_rules[] = {
	[FILE_DAMAGED] = { "file-damaged", XB_AUDIT_WARNING, "the file is damaged",
			   "fetch or build it again; a test's file can be allowed" },
	[FILE_PARTIAL] = { "file-partial", XB_AUDIT_NOTE, "it is too large to be known whole",
			   "nothing" },
	[PE_FOREIGN] = { "pe-foreign", XB_AUDIT_NOTE, "it is a program or library of Windows",
			 "nothing, if something in the image reads or runs it" },
	[PE_MACHINE] = { "pe-machine", XB_AUDIT_ERROR, "its machine is another", AGAIN },
	[MACHO_FOREIGN] = { "macho-foreign", XB_AUDIT_NOTE, "it is a program or library of macOS",
			    "leave it out of the image" },
	[MACHO_MACHINE] = { "macho-machine", XB_AUDIT_ERROR,
			    "none of its slices is for the machine", AGAIN },
	[WASM_FOREIGN] = { "wasm-foreign", XB_AUDIT_NOTE, "it is WebAssembly",
			   "nothing, if something in the image runs it" },
	[ELF_FOREIGN] = { "elf-foreign", XB_AUDIT_WARNING, "it is an ELF file", AGAIN },
};

const struct xb_audit_rule *xb_audit_rule_at(size_t index)
{
	if (index < XB_COUNT(elf_rules))
		return &elf_rules[index].rule;
	index -= XB_COUNT(elf_rules);
	return index < XB_COUNT(other_rules) ? &other_rules[index] : NULL;
}

const char *xb_audit_grade_name(enum xb_audit_grade grade)
{
	static const char *const names[] = { "note", "warning", "error" };

	return names[grade];
}

void xb_audit_findings_clear(struct xb_audit_findings *findings)
{
	for (size_t i = 0; i < findings->len; i++)
		free(findings->items[i].sentence);
	free(findings->items);
	*findings = (struct xb_audit_findings){ 0 };
}

static void add(struct xb_audit_findings *findings, const struct xb_audit_rule *rule,
		enum xb_audit_grade grade, struct xb_str *sentence)
{
	findings->items = xb_realloc(findings->items, findings->len + 1, sizeof(*findings->items));
	findings->items[findings->len++] = (struct xb_audit_finding){
		.rule = rule, .grade = grade, .sentence = xb_str_steal(sentence)
	};
}

/* "the file is for arm64 (…), the image for linux/amd64: its machine is another" */
static void add_other(struct xb_audit_findings *findings, enum other_rule which, const char *is_for,
		      const char *more, const struct question *q)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	const struct xb_audit_rule *rule = &other_rules[which];

	(void)xb_str_printf(&text, "the file is for %s, the image for %s: %s%s%s", is_for,
			    xb_platform_name(&q->platform).text, rule->what,
			    more[0] != '\0' ? ": " : "", more);
	add(findings, rule, rule->grade, &text);
}

/* Libraries that have code of several processors and ask the one that they run on; their attributes
 * are those of the newest. */
static bool asks_processor(const struct question *q)
{
	static const char *const known[] = { "libgcrypt.so", "libnettle.so", "libhogweed.so",
					     "libcrypto.so", "libgmp.so",    "libpixman-1.so" };
	const char *soname = q->facts->soname != NULL ? q->facts->soname : "";

	for (size_t i = 0; i < XB_COUNT(known); i++)
		if (starts(soname, known[i]))
			return true;
	return false;
}

/* Objects and debug information are not run; they are graded one less where that is worth less
 * than an error. So are ARM's libraries with code of a newer processor, which may ask first. */
static enum xb_audit_grade grade_of(const struct question *q, const struct xb_audit_rule *rule)
{
	bool idle = q->code->type == ET_REL || q->code->debug_only;

	if (strcmp(rule->id, "arm-cpu") == 0 || strcmp(rule->id, "arm-fpu") == 0) {
		if (asks_processor(q))
			return XB_AUDIT_NOTE;
		idle = idle || (q->code->type == ET_DYN && q->facts->interpreter == NULL &&
				q->facts->soname != NULL);
	}
	return rule->grade == XB_AUDIT_ERROR && idle ? XB_AUDIT_WARNING : rule->grade;
}

static void add_elf(struct xb_audit_findings *findings, const struct xb_audit_rule *rule,
		    const char *name, size_t count, const struct question *q)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	if (q->member)
		(void)xb_str_printf(&text, "member %s", name);
	if (q->member && count > 1)
		(void)xb_str_printf(&text, " and %zu more", count - 1);
	(void)xb_str_printf(&text, q->member ? " of the archive %s for " : "the file %s for ",
			    q->member && count > 1 ? "are" : "is");
	xb_audit_describe(q->code, &text);
	(void)xb_str_printf(&text, ", the image for %s: %s", xb_platform_name(&q->platform).text,
			    rule->what);
	if (rule == &elf_rules[0].rule)
		(void)xb_str_printf(&text, ": %s", q->damage);
	add(findings, rule, grade_of(q, rule), &text);
}

static void ask_elf(const struct question *q, const char *name, size_t count,
		    struct xb_audit_findings *findings)
{
	for (size_t i = 0; i < XB_COUNT(elf_rules); i++) {
		if (!elf_rules[i].applies(q))
			continue;
		add_elf(findings, &elf_rules[i].rule, name, count, q);
		if (elf_rules[i].last)
			return;
	}
}

static bool is_os(const struct question *q, const char *os)
{
	return strcmp(q->platform.os, os) == 0;
}

static bool is_wasm(const struct question *q)
{
	return starts(q->platform.arch, "wasm");
}

/* Systems whose programs are no ELF files. */
static bool audit_foreign_elf(const struct question *q, struct xb_audit_findings *findings)
{
	xb_auto_str struct xb_str is_for = XB_STR_INIT(XB_STR_OWN);

	if (!is_wasm(q) && !is_os(q, "windows") && !is_os(q, "darwin"))
		return false;
	if (q->facts->kind == XB_FACTS_ELF) {
		xb_audit_describe(q->code, &is_for);
		add_other(findings, ELF_FOREIGN, xb_str_text(&is_for), "", q);
	}
	return true;
}

static void audit_elf(struct question *q, struct xb_audit_findings *findings)
{
	if (!audit_foreign_elf(q, findings))
		ask_elf(q, "", 1, findings);
}

static void audit_ar(struct question *q, struct xb_audit_findings *findings)
{
	if (audit_foreign_elf(q, findings))
		return;
	q->member = true;
	for (size_t i = 0; i < q->facts->members_len; i++) {
		const struct xb_facts_member *m = &q->facts->members[i];

		q->code = &m->elf;
		q->damage = m->damage;
		ask_elf(q, m->name, m->count, findings);
	}
}

static const struct {
	uint32_t number;
	const char *arch;
} pe_machines[] = { { PE_386, "386" },
		    { PE_AMD64, "amd64" },
		    { PE_ARM, "arm" },
		    { PE_ARM64, "arm64" } },
  macho_cpus[] = { { 7, "386" }, { 0x01000007, "amd64" }, { 12, "arm" }, { 0x0100000c, "arm64" } };

static void audit_pe(struct question *q, struct xb_audit_findings *findings)
{
	const char *arch = "an unknown machine of Windows";

	for (size_t i = 0; i < XB_COUNT(pe_machines); i++)
		if (pe_machines[i].number == q->facts->pe_machine)
			arch = pe_machines[i].arch;
	if (!is_os(q, "windows"))
		add_other(findings, PE_FOREIGN, arch, "", q);
	/* .NET marks code for any machine as that of 386. */
	else if (strcmp(arch, q->platform.arch) != 0 &&
		 !(q->facts->pe_managed && q->facts->pe_machine == PE_386))
		add_other(findings, PE_MACHINE, arch, "", q);
}

static void audit_macho(struct question *q, struct xb_audit_findings *findings)
{
	xb_auto_str struct xb_str is_for = XB_STR_INIT(XB_STR_OWN);
	bool found = false;

	for (size_t i = 0; i < q->facts->slices_len; i++) {
		const char *arch = "an unknown machine";

		for (size_t k = 0; k < XB_COUNT(macho_cpus); k++)
			if (macho_cpus[k].number == q->facts->slices[i])
				arch = macho_cpus[k].arch;
		found = found || strcmp(arch, q->platform.arch) == 0;
		(void)xb_str_printf(&is_for, "%s%s", i > 0 ? " and " : "", arch);
	}
	if (!is_os(q, "darwin"))
		add_other(findings, MACHO_FOREIGN, xb_str_text(&is_for), "", q);
	else if (!found && q->facts->slices_len > 0)
		add_other(findings, MACHO_MACHINE, xb_str_text(&is_for), "", q);
}

static void audit_wasm(struct question *q, struct xb_audit_findings *findings)
{
	if (!is_wasm(q))
		add_other(findings, WASM_FOREIGN, "wasm", "", q);
}

static void audit_nothing(struct question *q, struct xb_audit_findings *findings)
{
	(void)q;
	(void)findings;
}

void xb_audit_file(const char *path, const struct xb_facts *facts,
		   const struct xb_platform *platform, struct xb_audit_findings *findings)
{
	static void (*const audits[])(struct question *, struct xb_audit_findings *) = {
		[XB_FACTS_OTHER] = audit_nothing, [XB_FACTS_ELF] = audit_elf,
		[XB_FACTS_AR] = audit_ar,	  [XB_FACTS_PE] = audit_pe,
		[XB_FACTS_MACHO] = audit_macho,	  [XB_FACTS_WASM] = audit_wasm,
		[XB_FACTS_SCRIPT] = audit_nothing
	};
	struct question q = { .path = path,
			      .facts = facts,
			      .code = &facts->elf,
			      .damage = facts->damage,
			      .platform = *platform };
	struct xb_platform row;

	xb_platform_normalise(&q.platform);
	/* The table has linux alone; other systems' ELF files are for the same processors. */
	row = q.platform;
	(void)snprintf(row.os, sizeof(row.os), "linux");
	q.arch = xb_arch_of_platform(&row);
	if (facts->damage != NULL && facts->kind != XB_FACTS_ELF)
		add_other(findings, FILE_DAMAGED, "nothing that can be told", facts->damage, &q);
	if (facts->partial)
		add_other(findings, FILE_PARTIAL, "more than is told here", "", &q);
	audits[facts->kind](&q, findings);
}
