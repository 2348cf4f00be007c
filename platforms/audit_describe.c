/* SPDX-License-Identifier: Apache-2.0 */
#include <elf.h>
#include <stdio.h>

#include "platforms/arch.h"
#include "platforms/audit.h"
#include "platforms/audit_elf.h"

/* Machines that the table of architectures lacks, or has in another class or byte order. */
static const struct {
	uint16_t machine;
	const char *name;
} machines[] = {
	{ EM_386, "386" },
	{ EM_X86_64, "x86-64" },
	{ EM_ARM, "arm" },
	{ EM_AARCH64, "arm64" },
	{ EM_MIPS, "mips" },
	{ EM_PPC, "ppc" },
	{ EM_PPC64, "ppc64" },
	{ EM_RISCV, "riscv" },
	{ EM_S390, "s390" },
	{ EM_SPARC, "sparc" },
	{ EM_SPARCV9, "sparc64" },
	{ EM_68K, "m68k" },
	{ EM_SH, "sh" },
	{ EM_PARISC, "hppa" },
	{ EM_ALPHA, "alpha" },
	{ EM_IA_64, "ia64" },
	{ EM_LOONGARCH, "loongarch" },
	{ EM_BPF, "BPF" },
	{ EM_AVR, "AVR" },
	{ EM_XTENSA, "Xtensa" },
	{ EM_MSP430, "MSP430" },
	{ EM_AMDGPU, "AMD GPU" },
	{ EM_CUDA, "CUDA" },
	{ EM_TRICORE, "TriCore" },
	{ EM_MICROBLAZE, "MicroBlaze" },
	{ EM_ALTERA_NIOS2, "Nios II" },
	{ EM_XCORE, "XCORE" },
	{ EM_QDSP6, "Hexagon" },
	{ EM_BLACKFIN, "Blackfin" },
};

static const char *const arm_cores[] = {
	[1] = "ARMv4",	  [2] = "ARMv4T",    [3] = "ARMv5T",	 [4] = "ARMv5TE",  [5] = "ARMv5TEJ",
	[6] = "ARMv6",	  [7] = "ARMv6KZ",   [8] = "ARMv6T2",	 [9] = "ARMv6K",   [10] = "ARMv7",
	[11] = "ARMv6-M", [12] = "ARMv6S-M", [13] = "ARMv7E-M",	 [14] = "ARMv8-A", [15] = "ARMv8-R",
	[16] = "ARMv8-M", [17] = "ARMv8-M",  [21] = "ARMv8.1-M", [22] = "ARMv9-A"
};

static void describe_machine(const struct xb_elf_code *code, struct xb_str *out)
{
	const struct xb_arch *arch =
		xb_arch_of_elf(code->class, code->data, code->machine, code->flags);

	if (arch != NULL) {
		(void)xb_str_puts(out, arch->name);
		return;
	}
	for (size_t i = 0; i < XB_COUNT(machines); i++)
		if (machines[i].machine == code->machine) {
			(void)xb_str_puts(out, machines[i].name);
			return;
		}
	(void)xb_str_printf(out, "ELF machine %u", code->machine);
}

static void describe_arm(const struct xb_elf_code *code, struct xb_str *out)
{
	uint32_t core = code->arm.cpu_arch;

	if (core < XB_COUNT(arm_cores) && arm_cores[core] != NULL)
		(void)xb_str_printf(out, ", %s", arm_cores[core]);
	if (xb_audit_arm_eabi(code) != 5)
		(void)xb_str_printf(out, ", EABI %u", xb_audit_arm_eabi(code));
	if (xb_audit_arm_float(code) != XB_AUDIT_FLOAT_UNSAID)
		(void)xb_str_puts(out, xb_audit_arm_float(code) == XB_AUDIT_FLOAT_HARD
					       ? ", hard-float"
					       : ", soft-float");
}

static void describe_riscv(const struct xb_elf_code *code, struct xb_str *out)
{
	static const char *const floats[] = { "soft", "single", "double", "quad" };

	(void)xb_str_printf(out, ", %s-float ABI", floats[code->flags >> 1 & 3]);
	if ((code->flags & EF_RISCV_RVE) != 0)
		(void)xb_str_puts(out, ", RVE");
	if (code->riscv_arch[0] != '\0')
		(void)xb_str_printf(out, ", %s", code->riscv_arch);
}

static void describe_mips(const struct xb_elf_code *code, struct xb_str *out)
{
	if (xb_audit_mips_r6(code))
		(void)xb_str_puts(out, ", release 6");
	if (code->class == ELFCLASS32)
		(void)xb_str_puts(out, (code->flags & EF_MIPS_ABI2) != 0 ? ", n32" : ", o32");
	if ((code->flags & EF_MIPS_NAN2008) != 0)
		(void)xb_str_puts(out, ", nan2008");
	if (code->mips.fp_abi == XB_AUDIT_MIPS_SOFT)
		(void)xb_str_puts(out, ", soft-float");
}

static void describe_details(const struct xb_elf_code *code, struct xb_str *out)
{
	if (code->machine == EM_ARM)
		describe_arm(code, out);
	else if (code->machine == EM_RISCV)
		describe_riscv(code, out);
	else if (code->machine == EM_MIPS)
		describe_mips(code, out);
	else if (code->machine == EM_X86_64 && xb_audit_amd64_level(code->x86_needed) > 1)
		(void)xb_str_printf(out, ", needs v%u", xb_audit_amd64_level(code->x86_needed));
	else if (code->machine == EM_PPC64 && (code->flags & 3) != 0)
		(void)xb_str_printf(out, ", ELFv%u", code->flags & 3);
}

void xb_audit_describe(const struct xb_elf_code *code, struct xb_str *out)
{
	describe_machine(code, out);
	(void)xb_str_printf(out, " (%s, %s-endian", code->class == ELFCLASS64 ? "64-bit" : "32-bit",
			    code->data == ELFDATA2MSB ? "big" : "little");
	describe_details(code, out);
	(void)xb_str_putc(out, ')');
}
