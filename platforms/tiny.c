/* SPDX-License-Identifier: Apache-2.0 */
#include "platforms/tiny.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"

const struct xb_tiny xb_tiny_table[XB_TINY_COUNT] = {
	{ .platform = "linux/386", .bytes = { 0xb8, 4,	  0, 0,	   0,	/* mov $4, %eax (write) */
					      0xbb, 1,	  0, 0,	   0,	/* mov $1, %ebx */
					      0xb9, 0,	  1, 0x40, 0,	/* mov $0x400100, %ecx */
					      0xba, 16,	  0, 0,	   0,	/* mov $16, %edx */
					      0xcd, 0x80,		/* int $0x80 */
					      0xb8, 1,	  0, 0,	   0,	/* mov $1, %eax (exit) */
					      0xbb, 42,	  0, 0,	   0,	/* mov $42, %ebx */
					      0xcd, 0x80 } },		/* int $0x80 */
	{ .platform = "linux/amd64", .bytes = { 0xb8, 1,    0, 0,    0, /* mov $1, %eax (write) */
						0xbf, 1,    0, 0,    0, /* mov $1, %edi */
						0xbe, 0,    1, 0x40, 0, /* mov $0x400100, %esi */
						0xba, 16,   0, 0,    0, /* mov $16, %edx */
						0x0f, 0x05,		/* syscall */
						0xb8, 60,   0, 0,    0, /* mov $60, %eax (exit) */
						0xbf, 42,   0, 0,    0, /* mov $42, %edi */
						0x0f, 0x05 } },		/* syscall */
	{ .platform = "linux/arm/v5",
	  .flags = 0x05000200,	     /* EABI 5, soft float */
	  .words = { 0xe3a07004,     /* mov r7, #4 (write) */
		     0xe3a00001,     /* mov r0, #1 */
		     0xe3a01501,     /* mov r1, #0x400000 */
		     0xe2811c01,     /* add r1, r1, #0x100 */
		     0xe3a02010,     /* mov r2, #16 */
		     0xef000000,     /* svc #0 */
		     0xe3a07001,     /* mov r7, #1 (exit) */
		     0xe3a0002a,     /* mov r0, #42 */
		     0xef000000 } }, /* svc #0 */
	{ .platform = "linux/arm/v6",
	  .flags = 0x05000400,	     /* EABI 5, hard float */
	  .words = { 0xe3a07004,     /* mov r7, #4 (write) */
		     0xe3a00001,     /* mov r0, #1 */
		     0xe3a01501,     /* mov r1, #0x400000 */
		     0xe2811c01,     /* add r1, r1, #0x100 */
		     0xe3a02010,     /* mov r2, #16 */
		     0xe6ef2072,     /* uxtb r2, r2: new with ARMv6 */
		     0xef000000,     /* svc #0 */
		     0xe3a07001,     /* mov r7, #1 (exit) */
		     0xe3a0002a,     /* mov r0, #42 */
		     0xef000000 } }, /* svc #0 */
	{ .platform = "linux/arm/v7",
	  .flags = 0x05000400,
	  .words = { 0xe3a07004,     /* mov r7, #4 (write) */
		     0xe3a00001,     /* mov r0, #1 */
		     0xe3001100,     /* movw r1, #0x0100: new with ARMv6T2 */
		     0xe3401040,     /* movt r1, #0x0040 */
		     0xe3a02010,     /* mov r2, #16 */
		     0xef000000,     /* svc #0 */
		     0xe3a07001,     /* mov r7, #1 (exit) */
		     0xe3a0002a,     /* mov r0, #42 */
		     0xef000000 } }, /* svc #0 */
	{ .platform = "linux/arm64",
	  .words = { 0xd2800808,     /* mov x8, #64 (write) */
		     0xd2800020,     /* mov x0, #1 */
		     0xd2a00801,     /* mov x1, #0x400000 */
		     0x91040021,     /* add x1, x1, #0x100 */
		     0xd2800202,     /* mov x2, #16 */
		     0xd4000001,     /* svc #0 */
		     0xd2800ba8,     /* mov x8, #93 (exit) */
		     0xd2800540,     /* mov x0, #42 */
		     0xd4000001 } }, /* svc #0 */
	{ .platform = "linux/loong64",
	  .flags = 0x43,	     /* object ABI 1, LP64D */
	  .words = { 0x02c1000b,     /* addi.d $a7, $zero, 64 (write) */
		     0x02c00404,     /* addi.d $a0, $zero, 1 */
		     0x14008005,     /* lu12i.w $a1, 0x400 */
		     0x02c400a5,     /* addi.d $a1, $a1, 0x100 */
		     0x02c04006,     /* addi.d $a2, $zero, 16 */
		     0x002b0000,     /* syscall 0 */
		     0x02c1740b,     /* addi.d $a7, $zero, 93 (exit) */
		     0x02c0a804,     /* addi.d $a0, $zero, 42 */
		     0x002b0000 } }, /* syscall 0 */
	{ .platform = "linux/mips",
	  .flags = 0x70001005,	     /* MIPS32r2, o32, PIC */
	  .words = { 0x24020fa4,     /* li $v0, 4004 (write) */
		     0x24040001,     /* li $a0, 1 */
		     0x3c050040,     /* lui $a1, 0x40 */
		     0x24a50100,     /* addiu $a1, $a1, 0x100 */
		     0x24060010,     /* li $a2, 16 */
		     0x0000000c,     /* syscall */
		     0x24020fa1,     /* li $v0, 4001 (exit) */
		     0x2404002a,     /* li $a0, 42 */
		     0x0000000c } }, /* syscall */
	{ .platform = "linux/mipsle",
	  .flags = 0x70001005,
	  .words = { 0x24020fa4, 0x24040001, 0x3c050040, 0x24a50100, 0x24060010, /* as mips */
		     0x0000000c, 0x24020fa1, 0x2404002a, 0x0000000c } },
	{ .platform = "linux/mips64",
	  .flags = 0x80000007,	     /* MIPS64r2, PIC */
	  .words = { 0x24021389,     /* li $v0, 5001 (write) */
		     0x24040001,     /* li $a0, 1 */
		     0x3c050040,     /* lui $a1, 0x40 */
		     0x24a50100,     /* addiu $a1, $a1, 0x100 */
		     0x24060010,     /* li $a2, 16 */
		     0x0000000c,     /* syscall */
		     0x240213c2,     /* li $v0, 5058 (exit) */
		     0x2404002a,     /* li $a0, 42 */
		     0x0000000c } }, /* syscall */
	{ .platform = "linux/mips64le",
	  .flags = 0x80000007,
	  .words = { 0x24021389, 0x24040001, 0x3c050040, 0x24a50100, 0x24060010, /* as mips64 */
		     0x0000000c, 0x240213c2, 0x2404002a, 0x0000000c } },
	{ .platform = "linux/ppc64",
	  .flags = 2,		     /* ELFv2: the entry point is code, no function descriptor */
	  .words = { 0x38000004,     /* li 0, 4 (write) */
		     0x38600001,     /* li 3, 1 */
		     0x3c800040,     /* lis 4, 0x40 */
		     0x60840100,     /* ori 4, 4, 0x100 */
		     0x38a00010,     /* li 5, 16 */
		     0x44000002,     /* sc */
		     0x38000001,     /* li 0, 1 (exit) */
		     0x3860002a,     /* li 3, 42 */
		     0x44000002 } }, /* sc */
	{ .platform = "linux/ppc64le",
	  .flags = 2,
	  .words = { 0x38000004, 0x38600001, 0x3c800040, 0x60840100, 0x38a00010, /* as ppc64 */
		     0x44000002, 0x38000001, 0x3860002a, 0x44000002 } },
	{ .platform = "linux/riscv64",
	  .flags = 5,		     /* compressed code allowed, double float */
	  .words = { 0x04000893,     /* li a7, 64 (write) */
		     0x00100513,     /* li a0, 1 */
		     0x004005b7,     /* lui a1, 0x400 */
		     0x10058593,     /* addi a1, a1, 0x100 */
		     0x01000613,     /* li a2, 16 */
		     0x00000073,     /* ecall */
		     0x05d00893,     /* li a7, 93 (exit) */
		     0x02a00513,     /* li a0, 42 */
		     0x00000073 } }, /* ecall */
	{ .platform = "linux/s390x", .bytes = { 0xa7, 0x29, 0, 1,    /* lghi %r2, 1 */
						0xa5, 0x3e, 0, 0x40, /* llilh %r3, 0x40 */
						0xa7, 0x3b, 1, 0,    /* aghi %r3, 0x100 */
						0xa7, 0x49, 0, 16,   /* lghi %r4, 16 */
						0x0a, 4,	     /* svc 4 (write) */
						0xa7, 0x29, 0, 42,   /* lghi %r2, 42 */
						0x0a, 1 } },	     /* svc 1 (exit) */
};

void xb_tiny_put(unsigned char *at, const struct xb_arch *arch, size_t size, uint64_t value)
{
	for (size_t i = 0; i < size; i++)
		at[i] = (unsigned char)(value >>
					8 * (arch->elf_data == ELFDATA2MSB ? size - 1 - i : i));
}

/* The header and one PT_LOAD of a class, named Elf32 or Elf64. */
#define HEADERS(bits, file, arch, e_flags_value)                                                   \
	do {                                                                                       \
		const size_t ph_ = sizeof(Elf##bits##_Ehdr);                                       \
		XB_TINY_FIELD(file, arch, 0, Elf##bits##_Ehdr, e_type, ET_EXEC);                   \
		XB_TINY_FIELD(file, arch, 0, Elf##bits##_Ehdr, e_machine, (arch)->elf_machine);    \
		XB_TINY_FIELD(file, arch, 0, Elf##bits##_Ehdr, e_version, EV_CURRENT);             \
		XB_TINY_FIELD(file, arch, 0, Elf##bits##_Ehdr, e_entry,                            \
			      XB_TINY_BASE + XB_TINY_CODE);                                        \
		XB_TINY_FIELD(file, arch, 0, Elf##bits##_Ehdr, e_phoff, ph_);                      \
		XB_TINY_FIELD(file, arch, 0, Elf##bits##_Ehdr, e_flags, e_flags_value);            \
		XB_TINY_FIELD(file, arch, 0, Elf##bits##_Ehdr, e_ehsize, ph_);                     \
		XB_TINY_FIELD(file, arch, 0, Elf##bits##_Ehdr, e_phentsize,                        \
			      sizeof(Elf##bits##_Phdr));                                           \
		XB_TINY_FIELD(file, arch, 0, Elf##bits##_Ehdr, e_phnum, 1);                        \
		XB_TINY_FIELD(file, arch, ph_, Elf##bits##_Phdr, p_type, PT_LOAD);                 \
		XB_TINY_FIELD(file, arch, ph_, Elf##bits##_Phdr, p_flags, PF_R | PF_X);            \
		XB_TINY_FIELD(file, arch, ph_, Elf##bits##_Phdr, p_vaddr, XB_TINY_BASE);           \
		XB_TINY_FIELD(file, arch, ph_, Elf##bits##_Phdr, p_paddr, XB_TINY_BASE);           \
		XB_TINY_FIELD(file, arch, ph_, Elf##bits##_Phdr, p_filesz, XB_TINY_SIZE);          \
		XB_TINY_FIELD(file, arch, ph_, Elf##bits##_Phdr, p_memsz, XB_TINY_SIZE);           \
		XB_TINY_FIELD(file, arch, ph_, Elf##bits##_Phdr, p_align, 0x10000);                \
	} while (0)

const struct xb_tiny *xb_tiny_find(const char *platform)
{
	for (size_t i = 0; i < XB_TINY_COUNT; i++) {
		if (strcmp(xb_tiny_table[i].platform, platform) == 0)
			return &xb_tiny_table[i];
	}
	return NULL;
}

void xb_tiny_name(const struct xb_tiny *code, char text[XB_TINY_NAME + 1])
{
	(void)snprintf(text, XB_TINY_NAME + 1, "%-15.15s\n", code->platform);
}

void xb_tiny_make(const struct xb_tiny *code, const struct xb_arch *arch,
		  unsigned char file[XB_TINY_SIZE])
{
	char name[XB_TINY_NAME + 1];

	memset(file, 0, XB_TINY_SIZE);
	memcpy(file, ELFMAG, SELFMAG);
	file[EI_CLASS] = arch->elf_class;
	file[EI_DATA] = arch->elf_data;
	file[EI_VERSION] = EV_CURRENT;
	if (arch->elf_class == ELFCLASS32)
		HEADERS(32, file, arch, code->flags);
	else
		HEADERS(64, file, arch, code->flags);
	if (code->words[0] == 0)
		memcpy(file + XB_TINY_CODE, code->bytes, sizeof(code->bytes));
	for (size_t i = 0; code->words[0] != 0 && i < XB_COUNT(code->words); i++)
		xb_tiny_put(file + XB_TINY_CODE + 4 * i, arch, 4, code->words[i]);
	xb_tiny_name(code, name);
	memcpy(file + XB_TINY_TEXT, name, XB_TINY_NAME);
}
