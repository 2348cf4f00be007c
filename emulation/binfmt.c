/* SPDX-License-Identifier: Apache-2.0 */
#include "emulation/binfmt.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

/* The longest part of a header that any pattern covers: up to the end of 64-bit e_flags. */
#define PATTERN_MAX (offsetof(Elf64_Ehdr, e_flags) + sizeof(Elf64_Word))

/* What the kernel compares: (file ^ magic) & mask has to be zero over `len` bytes. */
struct pattern {
	unsigned char magic[PATTERN_MAX];
	unsigned char mask[PATTERN_MAX];
	size_t len;
};

/* Set `size` bytes at `offset` to numbers in the architecture's byte order. */
static void put_number(struct pattern *p, const struct xb_arch *arch, size_t offset, size_t size,
		       uint32_t value, uint32_t mask)
{
	for (size_t i = 0; i < size; i++) {
		size_t shift = 8 * (arch->elf_data == ELFDATA2MSB ? size - 1 - i : i);

		p->magic[offset + i] = (unsigned char)(value >> shift);
		p->mask[offset + i] = (unsigned char)(mask >> shift);
	}
	if (p->len < offset + size)
		p->len = offset + size;
}

/*
 * e_ident: magic, class, byte order and version. The OS ABI and what follows it are not compared,
 * because neither Linux nor qemu does, and files in the wild have all sorts of things there.
 */
static void put_ident(struct pattern *p, const struct xb_arch *arch)
{
	memcpy(p->magic, ELFMAG, SELFMAG);
	p->magic[EI_CLASS] = arch->elf_class;
	p->magic[EI_DATA] = arch->elf_data;
	p->magic[EI_VERSION] = EV_CURRENT;
	memset(p->mask, 0xff, EI_VERSION + 1);
	p->len = EI_NIDENT;
}

static void make_pattern(const struct xb_arch *arch, struct pattern *p)
{
	size_t flags = arch->elf_class == ELFCLASS32 ? offsetof(Elf32_Ehdr, e_flags)
						     : offsetof(Elf64_Ehdr, e_flags);

	memset(p, 0, sizeof(*p));
	put_ident(p, arch);
	/* ET_EXEC is 2 and ET_DYN is 3: all bits but the lowest tell. */
	put_number(p, arch, offsetof(Elf64_Ehdr, e_type), 2, ET_EXEC, 0xfffe);
	put_number(p, arch, offsetof(Elf64_Ehdr, e_machine), 2, arch->elf_machine, 0xffff);
	if (arch->flags_mask != 0)
		put_number(p, arch, flags, 4, arch->flags_value, arch->flags_mask);
}

static void append_bytes(struct xb_str *out, const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		(void)xb_str_printf(out, "\\x%02x", bytes[i]);
}

/* The character between the fields: the first of these which the interpreter does not hold. */
static char choose_delimiter(const char *interpreter)
{
	const char *candidates = ":|;,!%";

	while (*candidates != '\0' && strchr(interpreter, *candidates) != NULL)
		candidates++;
	return *candidates;
}

/* The kernel reads the name up to the delimiter and makes a file of it. */
static bool name_is_good(const char *name)
{
	static const char *const taken[] = { "", ".", "..", "register", "status" };

	for (size_t i = 0; i < XB_COUNT(taken); i++)
		if (strcmp(name, taken[i]) == 0)
			return false;
	return strpbrk(name, "/:|;,!%\n") == NULL;
}

static int print_line(const struct pattern *p, const char *name, const char *interpreter,
		      const char *flags, struct xb_str *out, struct xb_error *err)
{
	xb_auto_str struct xb_str line = XB_STR_INIT(XB_BINFMT_LINE_MAX);
	char delimiter = choose_delimiter(interpreter);

	if (!name_is_good(name))
		return xb_error_set(err, -EINVAL, "\"%s\" cannot name a binfmt registration", name);
	if (interpreter[0] != '/' || delimiter == '\0' || strchr(interpreter, '\n') != NULL)
		return xb_error_set(err, -EINVAL, "\"%s\" cannot be registered as an emulator",
				    interpreter);
	(void)xb_str_printf(&line, "%c%s%cM%c%c", delimiter, name, delimiter, delimiter, delimiter);
	append_bytes(&line, p->magic, p->len);
	(void)xb_str_putc(&line, delimiter);
	append_bytes(&line, p->mask, p->len);
	(void)xb_str_printf(&line, "%c%s%c%s", delimiter, interpreter, delimiter, flags);
	if (xb_str_overflowed(&line))
		return xb_error_set(err, -ENAMETOOLONG,
				    "the emulator's path is too long to be registered: %s",
				    interpreter);
	return xb_str_append_view(out, xb_str_view(&line));
}

int xb_binfmt_line(const struct xb_arch *arch, const char *name, const char *interpreter,
		   struct xb_str *out, struct xb_error *err)
{
	struct pattern p;

	make_pattern(arch, &p);
	return print_line(&p, name, interpreter, XB_BINFMT_FLAGS, out, err);
}

int xb_binfmt_guard_line(const struct xb_arch *arch, bool any_class, const char *name,
			 const char *interpreter, struct xb_str *out, struct xb_error *err)
{
	struct pattern p;

	make_pattern(arch, &p);
	if (any_class)
		p.magic[EI_CLASS] = p.mask[EI_CLASS] = 0;
	/* a program of another ABI of the machine is one of the machine's all the same */
	p.len = offsetof(Elf64_Ehdr, e_machine) + sizeof(Elf64_Half);
	p.magic[XB_BINFMT_MARK_AT] = 0;
	p.mask[XB_BINFMT_MARK_AT] = XB_BINFMT_MARK;
	return print_line(&p, name, interpreter, XB_BINFMT_GUARD_FLAGS, out, err);
}
