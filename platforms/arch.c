/* SPDX-License-Identifier: Apache-2.0 */
#include "platforms/arch.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

/*
 * e_flags: ARM has the EABI version in the top byte; Linux programs of our time are EABI 5. MIPS
 * tells n32 (EF_MIPS_ABI2) from o32 in 32-bit files. PowerPC's low two bits are the ABI: 0 stands
 * for unsaid, so 64-bit little-endian is ELFv2 by its byte order alone.
 * Source: psABI supplements of each processor; glibc's elf.h.
 */
#define ARM_EABI_MASK 0xff000000u
#define ARM_EABI_5    0x05000000u
#define MIPS_ABI2     0x00000020u

static const struct xb_arch table[] = {
	/* name, variant, uname -m, Debian, qemu-…, machine, class, byte order, flags mask, value */
	{ "386", "", "i686", "i386", "i386", EM_386, ELFCLASS32, ELFDATA2LSB, 0, 0 },
	{ "amd64", "", "x86_64", "amd64", "x86_64", EM_X86_64, ELFCLASS64, ELFDATA2LSB, 0, 0 },
	{ "arm", "v5", "armv5tel", "armel", "arm", EM_ARM, ELFCLASS32, ELFDATA2LSB, ARM_EABI_MASK,
	  ARM_EABI_5 },
	{ "arm", "v6", "armv6l", "armel", "arm", EM_ARM, ELFCLASS32, ELFDATA2LSB, ARM_EABI_MASK,
	  ARM_EABI_5 },
	{ "arm", "v7", "armv7l", "armhf", "arm", EM_ARM, ELFCLASS32, ELFDATA2LSB, ARM_EABI_MASK,
	  ARM_EABI_5 },
	{ "arm", "v8", "armv8l", "armhf", "arm", EM_ARM, ELFCLASS32, ELFDATA2LSB, ARM_EABI_MASK,
	  ARM_EABI_5 },
	{ "arm64", "", "aarch64", "arm64", "aarch64", EM_AARCH64, ELFCLASS64, ELFDATA2LSB, 0, 0 },
	{ "loong64", "", "loongarch64", "loong64", "loongarch64", EM_LOONGARCH, ELFCLASS64,
	  ELFDATA2LSB, 0, 0 },
	{ "mips", "", "mips", "mips", "mips", EM_MIPS, ELFCLASS32, ELFDATA2MSB, MIPS_ABI2, 0 },
	{ "mipsle", "", "mips", "mipsel", "mipsel", EM_MIPS, ELFCLASS32, ELFDATA2LSB, MIPS_ABI2,
	  0 },
	{ "mips64", "", "mips64", "mips64", "mips64", EM_MIPS, ELFCLASS64, ELFDATA2MSB, 0, 0 },
	{ "mips64le", "", "mips64", "mips64el", "mips64el", EM_MIPS, ELFCLASS64, ELFDATA2LSB, 0,
	  0 },
	{ "ppc64", "", "ppc64", "ppc64", "ppc64", EM_PPC64, ELFCLASS64, ELFDATA2MSB, 0, 0 },
	{ "ppc64le", "", "ppc64le", "ppc64el", "ppc64le", EM_PPC64, ELFCLASS64, ELFDATA2LSB, 0, 0 },
	{ "riscv64", "", "riscv64", "riscv64", "riscv64", EM_RISCV, ELFCLASS64, ELFDATA2LSB, 0, 0 },
	{ "s390x", "", "s390x", "s390x", "s390x", EM_S390, ELFCLASS64, ELFDATA2MSB, 0, 0 },
};

const struct xb_arch *xb_arch_at(size_t index)
{
	return index < XB_COUNT(table) ? &table[index] : NULL;
}

static bool is_linux(const struct xb_platform *p)
{
	return strcmp(p->os, "linux") == 0;
}

const struct xb_arch *xb_arch_of_platform(const struct xb_platform *p)
{
	struct xb_platform normal = *p;
	const struct xb_arch *general = NULL;

	xb_platform_normalise(&normal);
	if (!is_linux(&normal))
		return NULL;
	for (size_t i = 0; i < XB_COUNT(table); i++) {
		if (strcmp(table[i].name, normal.arch) != 0)
			continue;
		if (strcmp(table[i].variant, normal.variant) == 0)
			return &table[i];
		if (table[i].variant[0] == '\0')
			general = &table[i];
	}
	return general;
}

/* Whether `machine` is how the kernel of a row's architecture may call itself: what follows
 * "armv7" and the digit of "i686" vary. */
static bool machine_is(const struct xb_arch *arch, const char *machine)
{
	if (strcmp(arch->name, "arm") == 0)
		return strncmp(arch->machine, machine, strlen("armv7")) == 0;
	if (strcmp(arch->name, "386") == 0)
		return strlen(machine) == 4 && machine[0] == 'i' && strcmp(machine + 2, "86") == 0;
	return strcmp(arch->machine, machine) == 0;
}

const struct xb_arch *xb_arch_of_machine(const char *machine)
{
	/* Both byte orders of MIPS are called alike; the kernel asked is that of this process. */
	const uint8_t data = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	const struct xb_arch *found = NULL;

	for (size_t i = 0; i < XB_COUNT(table); i++)
		if (machine_is(&table[i], machine) && (found == NULL || table[i].elf_data == data))
			found = &table[i];
	return found;
}

const struct xb_arch *xb_arch_of_elf(uint8_t elf_class, uint8_t elf_data, uint16_t elf_machine,
				     uint32_t flags)
{
	for (size_t i = 0; i < XB_COUNT(table); i++) {
		const struct xb_arch *a = &table[i];

		if (a->elf_class == elf_class && a->elf_data == elf_data &&
		    a->elf_machine == elf_machine && (flags & a->flags_mask) == a->flags_value)
			return a;
	}
	return NULL;
}

bool xb_arch_same_elf(const struct xb_arch *a, const struct xb_arch *b)
{
	return a->elf_class == b->elf_class && a->elf_data == b->elf_data &&
	       a->elf_machine == b->elf_machine && a->flags_mask == b->flags_mask &&
	       a->flags_value == b->flags_value;
}

struct xb_platform xb_arch_platform(const struct xb_arch *arch)
{
	struct xb_platform p = { .os = "linux" };

	(void)snprintf(p.arch, sizeof(p.arch), "%s", arch->name);
	(void)snprintf(p.variant, sizeof(p.variant), "%s", arch->variant);
	return p;
}
