/* SPDX-License-Identifier: Apache-2.0 */
#include "platforms/elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Where a class keeps its fields; the gABI's structures, as offsets, so that one reader serves
 * both classes and both byte orders. */
struct layout {
	size_t ehdr_size;
	size_t word; /* bytes of an offset or size */
	size_t phoff;
	size_t flags;
	size_t phentsize;
	size_t phnum;
	size_t phdr_size;
	size_t p_offset;
	size_t p_filesz;
};

static const struct layout layout32 = {
	.ehdr_size = sizeof(Elf32_Ehdr),
	.word = 4,
	.phoff = offsetof(Elf32_Ehdr, e_phoff),
	.flags = offsetof(Elf32_Ehdr, e_flags),
	.phentsize = offsetof(Elf32_Ehdr, e_phentsize),
	.phnum = offsetof(Elf32_Ehdr, e_phnum),
	.phdr_size = sizeof(Elf32_Phdr),
	.p_offset = offsetof(Elf32_Phdr, p_offset),
	.p_filesz = offsetof(Elf32_Phdr, p_filesz),
};

static const struct layout layout64 = {
	.ehdr_size = sizeof(Elf64_Ehdr),
	.word = 8,
	.phoff = offsetof(Elf64_Ehdr, e_phoff),
	.flags = offsetof(Elf64_Ehdr, e_flags),
	.phentsize = offsetof(Elf64_Ehdr, e_phentsize),
	.phnum = offsetof(Elf64_Ehdr, e_phnum),
	.phdr_size = sizeof(Elf64_Phdr),
	.p_offset = offsetof(Elf64_Phdr, p_offset),
	.p_filesz = offsetof(Elf64_Phdr, p_filesz),
};

/* An unsigned number of `size` bytes in the file's byte order. */
static uint64_t number(const struct xb_elf_info *info, const unsigned char *at, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | at[info->data == ELFDATA2MSB ? i : size - 1 - i];
	return value;
}

/* pread() of up to `len` bytes; fewer only at the end of the file. */
static ssize_t read_at(int fd, void *to, size_t len, uint64_t offset, struct xb_error *err)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n;

		if (offset + got > INT64_MAX)
			break;
		n = pread(fd, (char *)to + got, len - got, (off_t)(offset + got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return xb_error_errno(err, -errno, "reading an ELF file");
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static int bad(struct xb_error *err, const char *what)
{
	return xb_error_set(err, -EBADMSG, "broken ELF file: %s", what);
}

static int read_interpreter(int fd, const struct layout *layout, const unsigned char *phdr,
			    struct xb_elf_info *info, struct xb_error *err)
{
	uint64_t offset = number(info, phdr + layout->p_offset, layout->word);
	uint64_t size = number(info, phdr + layout->p_filesz, layout->word);
	ssize_t n;

	/* As Linux has it: between one character and PATH_MAX, its NUL included. */
	if (size < 2 || size > sizeof(info->interpreter) || offset > INT64_MAX)
		return bad(err, "the name of its interpreter has an impossible size");
	n = read_at(fd, info->interpreter, (size_t)size, offset, err);
	if (n < 0)
		return (int)n;
	if ((uint64_t)n < size || info->interpreter[size - 1] != '\0')
		return bad(err, "the name of its interpreter is cut off");
	info->has_interpreter = true;
	return 0;
}

static int read_segments(int fd, const struct layout *layout, const unsigned char *ehdr,
			 struct xb_elf_info *info, struct xb_error *err)
{
	uint64_t offset = number(info, ehdr + layout->phoff, layout->word);
	uint64_t count = number(info, ehdr + layout->phnum, 2);
	unsigned char phdr[sizeof(Elf64_Phdr)];

	if (count == 0)
		return 0;
	if (number(info, ehdr + layout->phentsize, 2) != layout->phdr_size)
		return bad(err, "its program headers have a wrong size");
	if (count > XB_ELF_PHDRS_MAX || offset > INT64_MAX - count * layout->phdr_size)
		return bad(err, "its program headers are out of bounds");
	for (uint64_t i = 0; i < count; i++) {
		ssize_t n =
			read_at(fd, phdr, layout->phdr_size, offset + i * layout->phdr_size, err);
		uint64_t type;
		int r = 0;

		if (n < 0)
			return (int)n;
		if ((size_t)n < layout->phdr_size)
			return bad(err, "its program headers are cut off");
		type = number(info, phdr, 4); /* p_type is first in both classes */
		if (type == PT_DYNAMIC)
			info->dynamic = true;
		/* Linux takes the first one. */
		if (type == PT_INTERP && !info->has_interpreter)
			r = read_interpreter(fd, layout, phdr, info, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The header's fields; `ehdr` holds `len` bytes that begin with the magic. */
static int read_header(const unsigned char *ehdr, size_t len, struct xb_elf_info *info,
		       const struct layout **ret_layout, struct xb_error *err)
{
	const struct layout *layout;

	if (len < EI_NIDENT)
		return bad(err, "its header is cut off");
	info->is_elf = true;
	info->class = ehdr[EI_CLASS];
	info->data = ehdr[EI_DATA];
	info->osabi = ehdr[EI_OSABI];
	if (info->class != ELFCLASS32 && info->class != ELFCLASS64)
		return bad(err, "it is neither 32-bit nor 64-bit");
	if (info->data != ELFDATA2LSB && info->data != ELFDATA2MSB)
		return bad(err, "it has no byte order");
	layout = info->class == ELFCLASS32 ? &layout32 : &layout64;
	if (len < layout->ehdr_size)
		return bad(err, "its header is cut off");
	info->type = (uint16_t)number(info, ehdr + offsetof(Elf64_Ehdr, e_type), 2);
	info->machine = (uint16_t)number(info, ehdr + offsetof(Elf64_Ehdr, e_machine), 2);
	info->flags = (uint32_t)number(info, ehdr + layout->flags, 4);
	*ret_layout = layout;
	return 0;
}

int xb_elf_identify(int fd, struct xb_elf_info *ret, struct xb_error *err)
{
	unsigned char ehdr[sizeof(Elf64_Ehdr)];
	const struct layout *layout = NULL;
	ssize_t n = read_at(fd, ehdr, sizeof(ehdr), 0, err);
	int r;

	memset(ret, 0, sizeof(*ret));
	if (n < 0)
		return (int)n;
	if (n < SELFMAG || memcmp(ehdr, ELFMAG, SELFMAG) != 0)
		return 0;
	r = read_header(ehdr, (size_t)n, ret, &layout, err);
	if (r < 0)
		return r;
	return read_segments(fd, layout, ehdr, ret, err);
}

const struct xb_arch *xb_elf_arch(const struct xb_elf_info *info)
{
	if (!info->is_elf)
		return NULL;
	return xb_arch_of_elf(info->class, info->data, info->machine, info->flags);
}

bool xb_elf_platform(const struct xb_elf_info *info, struct xb_platform *ret)
{
	const struct xb_arch *arch = xb_elf_arch(info);

	if (arch == NULL)
		return false;
	*ret = xb_arch_platform(arch);
	ret->variant[0] = '\0';
	return true;
}
