/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Writes ELF files for tests from a description: header, one PT_LOAD over all of it, interpreter,
 * dynamic section with libraries, paths and versions, one note and one record of the processor's
 * own (build attributes, ABI flags), with section headers or without. Nothing in it runs.
 */
#ifndef XB_TESTS_ELF_WRITER_H
#define XB_TESTS_ELF_WRITER_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define EW_SIZE 4096
#define EW_BASE 0x10000
/* Where the parts are; all have room for what tests put there. */
#define EW_PHDRS   0x40
#define EW_INTERP  0x240
#define EW_NOTE	   0x280
#define EW_RECORD  0x300
#define EW_DYNAMIC 0x400
#define EW_STRINGS 0x600
#define EW_VERNEED 0x800
#define EW_VERDEF  0x880
#define EW_SHDRS   0x900

struct ew {
	uint8_t class, data, osabi;
	uint16_t type, machine;
	uint32_t flags;
	const char *interpreter;
	const char *needed[4];
	const char *soname, *rpath, *runpath;
	uint64_t flags_1;
	const char *version_file, *version; /* one version that is needed */
	const char *defined;		    /* one that is defined */
	uint32_t properties[4];		    /* two pairs of type and value */
	const unsigned char *record;	    /* of SHT 0x70000003, of MIPS 0x7000002a */
	size_t record_len;
	bool segments_only; /* no section headers */
	bool debug_only;
};

struct ew_file {
	unsigned char bytes[EW_SIZE];
	const struct ew *e;
	size_t phnum, shnum, dynnum, strings;
};

static inline void ew_put(struct ew_file *f, size_t at, size_t size, uint64_t value)
{
	for (size_t i = 0; i < size; i++)
		f->bytes[at + (f->e->data == ELFDATA2MSB ? size - 1 - i : i)] =
			(unsigned char)(value >> (8 * i));
}

#define EW_SET(f, at, type, field, value)                                                          \
	((f)->e->class == ELFCLASS64 ? ew_put((f), (at) + offsetof(Elf64_##type, field),           \
					      sizeof(((Elf64_##type *)0)->field), (value))         \
				     : ew_put((f), (at) + offsetof(Elf32_##type, field),           \
					      sizeof(((Elf32_##type *)0)->field), (value)))
#define EW_ROW(f, type) ((f)->e->class == ELFCLASS64 ? sizeof(Elf64_##type) : sizeof(Elf32_##type))

static inline void ew_segment(struct ew_file *f, uint32_t type, uint64_t offset, uint64_t size)
{
	size_t at = EW_PHDRS + f->phnum++ * EW_ROW(f, Phdr);

	EW_SET(f, at, Phdr, p_type, type);
	EW_SET(f, at, Phdr, p_flags, PF_R | PF_X);
	EW_SET(f, at, Phdr, p_offset, offset);
	EW_SET(f, at, Phdr, p_vaddr, EW_BASE + offset);
	EW_SET(f, at, Phdr, p_filesz, size);
	EW_SET(f, at, Phdr, p_memsz, size);
	EW_SET(f, at, Phdr, p_align, f->e->class == ELFCLASS64 ? 8 : 4);
}

static inline void ew_section(struct ew_file *f, uint32_t type, uint64_t flags, uint64_t offset,
			      uint64_t size)
{
	size_t at = EW_SHDRS + f->shnum++ * EW_ROW(f, Shdr);

	EW_SET(f, at, Shdr, sh_type, type);
	EW_SET(f, at, Shdr, sh_flags, flags);
	EW_SET(f, at, Shdr, sh_offset, offset);
	EW_SET(f, at, Shdr, sh_size, size);
	EW_SET(f, at, Shdr, sh_addralign, f->e->class == ELFCLASS64 ? 8 : 4);
}

static inline uint64_t ew_string(struct ew_file *f, const char *text)
{
	size_t at = f->strings;

	memcpy(f->bytes + EW_STRINGS + at, text, strlen(text) + 1);
	f->strings += strlen(text) + 1;
	return at;
}

static inline void ew_dyn(struct ew_file *f, uint64_t tag, uint64_t value)
{
	size_t at = EW_DYNAMIC + f->dynnum++ * EW_ROW(f, Dyn);

	EW_SET(f, at, Dyn, d_tag, tag);
	EW_SET(f, at, Dyn, d_un, value);
}

static inline void ew_dyn_text(struct ew_file *f, uint64_t tag, const char *text)
{
	if (text != NULL)
		ew_dyn(f, tag, ew_string(f, text));
}

static inline void ew_versions(struct ew_file *f)
{
	if (f->e->version != NULL) {
		ew_put(f, EW_VERNEED, 2, 1);
		ew_put(f, EW_VERNEED + 2, 2, 1);
		ew_put(f, EW_VERNEED + 4, 4, ew_string(f, f->e->version_file));
		ew_put(f, EW_VERNEED + 8, 4, 16);
		ew_put(f, EW_VERNEED + 24, 4, ew_string(f, f->e->version));
		ew_dyn(f, DT_VERNEED, EW_BASE + EW_VERNEED);
		ew_dyn(f, DT_VERNEEDNUM, 1);
	}
	if (f->e->defined != NULL) {
		ew_put(f, EW_VERDEF, 2, 1);
		ew_put(f, EW_VERDEF + 6, 2, 1);
		ew_put(f, EW_VERDEF + 12, 4, 20);
		ew_put(f, EW_VERDEF + 20, 4, ew_string(f, f->e->defined));
		ew_dyn(f, DT_VERDEF, EW_BASE + EW_VERDEF);
		ew_dyn(f, DT_VERDEFNUM, 1);
	}
}

static inline void ew_dynamic(struct ew_file *f)
{
	const struct ew *e = f->e;

	f->strings = 1;
	for (size_t i = 0; i < 4; i++)
		ew_dyn_text(f, DT_NEEDED, e->needed[i]);
	ew_dyn_text(f, DT_SONAME, e->soname);
	ew_dyn_text(f, DT_RPATH, e->rpath);
	ew_dyn_text(f, DT_RUNPATH, e->runpath);
	ew_versions(f);
	if (f->dynnum == 0 && e->flags_1 == 0)
		return;
	ew_dyn(f, DT_FLAGS_1, e->flags_1);
	ew_dyn(f, DT_STRTAB, EW_BASE + EW_STRINGS);
	ew_dyn(f, DT_STRSZ, f->strings);
	ew_dyn(f, DT_NULL, 0);
	ew_segment(f, PT_DYNAMIC, EW_DYNAMIC, f->dynnum * EW_ROW(f, Dyn));
}

/* NT_GNU_PROPERTY_TYPE_0 with up to two properties of four bytes. */
static inline void ew_note(struct ew_file *f)
{
	size_t pad = f->e->class == ELFCLASS64 ? 8 : 4, at = EW_NOTE + 16;

	for (size_t i = 0; i < 4 && f->e->properties[i] != 0; i += 2) {
		ew_put(f, at, 4, f->e->properties[i]);
		ew_put(f, at + 4, 4, 4);
		ew_put(f, at + 8, 4, f->e->properties[i + 1]);
		at += 8 + pad;
	}
	if (at == EW_NOTE + 16)
		return;
	ew_put(f, EW_NOTE, 4, 4);
	ew_put(f, EW_NOTE + 4, 4, at - EW_NOTE - 16);
	ew_put(f, EW_NOTE + 8, 4, 5);
	memcpy(f->bytes + EW_NOTE + 12, "GNU", 4);
	if (f->e->type == ET_REL)
		ew_section(f, SHT_NOTE, SHF_ALLOC, EW_NOTE, at - EW_NOTE);
	else
		ew_segment(f, PT_NOTE, EW_NOTE, at - EW_NOTE);
}

static inline void ew_header(struct ew_file *f)
{
	const struct ew *e = f->e;

	memcpy(f->bytes, ELFMAG, SELFMAG);
	f->bytes[EI_CLASS] = e->class;
	f->bytes[EI_DATA] = e->data;
	f->bytes[EI_VERSION] = EV_CURRENT;
	f->bytes[EI_OSABI] = e->osabi;
	EW_SET(f, 0, Ehdr, e_type, e->type);
	EW_SET(f, 0, Ehdr, e_machine, e->machine);
	EW_SET(f, 0, Ehdr, e_version, EV_CURRENT);
	EW_SET(f, 0, Ehdr, e_flags, e->flags);
	EW_SET(f, 0, Ehdr, e_phoff, f->phnum > 0 ? EW_PHDRS : 0);
	EW_SET(f, 0, Ehdr, e_phnum, f->phnum);
	EW_SET(f, 0, Ehdr, e_phentsize, EW_ROW(f, Phdr));
	EW_SET(f, 0, Ehdr, e_shoff, e->segments_only ? 0 : EW_SHDRS);
	EW_SET(f, 0, Ehdr, e_shnum, e->segments_only ? 0 : f->shnum);
	EW_SET(f, 0, Ehdr, e_shentsize, EW_ROW(f, Shdr));
}

/** Write what `e` describes to `f`. */
static inline void ew_write(const struct ew *e, struct ew_file *f)
{
	memset(f, 0, sizeof(*f));
	f->e = e;
	ew_section(f, SHT_NULL, 0, 0, 0);
	ew_section(f, e->debug_only ? SHT_NOBITS : SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0xf00,
		   16);
	if (e->type != ET_REL)
		ew_segment(f, PT_LOAD, 0, EW_SIZE);
	if (e->interpreter != NULL) {
		memcpy(f->bytes + EW_INTERP, e->interpreter, strlen(e->interpreter) + 1);
		ew_segment(f, PT_INTERP, EW_INTERP, strlen(e->interpreter) + 1);
	}
	ew_note(f);
	if (e->record != NULL) {
		memcpy(f->bytes + EW_RECORD, e->record, e->record_len);
		ew_section(f, e->machine == EM_MIPS ? 0x7000002a : 0x70000003, 0, EW_RECORD,
			   e->record_len);
		if (e->machine != EM_ARM && e->type != ET_REL)
			ew_segment(f, 0x70000003, EW_RECORD, e->record_len);
	}
	if (e->type != ET_REL)
		ew_dynamic(f);
	ew_header(f);
}

/**
 * Write build attributes of `vendor`: the `len` bytes at `pairs`, tags and values, for the whole
 * file. Returns their length; `to` has room for 40 more bytes than `len`.
 */
static inline size_t ew_attributes(const struct ew *e, const char *vendor, const void *pairs,
				   size_t len, unsigned char *to)
{
	struct ew_file f = { .e = e };
	size_t name = strlen(vendor) + 1;

	f.bytes[0] = 'A';
	ew_put(&f, 1, 4, 4 + name + 5 + len);
	memcpy(f.bytes + 5, vendor, name);
	f.bytes[5 + name] = 1;
	ew_put(&f, 6 + name, 4, 5 + len);
	memcpy(f.bytes + 10 + name, pairs, len);
	memcpy(to, f.bytes, 10 + name + len);
	return 10 + name + len;
}

#endif
