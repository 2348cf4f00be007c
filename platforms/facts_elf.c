/* SPDX-License-Identifier: Apache-2.0 */
/* The header, segments and sections of an ELF file. Sections are told by their type, not by their
 * names, which spares a table of strings that may be large. */
#include <elf.h>
#include <string.h>

#include "base/str.h"
#include "platforms/elf.h"
#include "platforms/facts_reader.h"

/* Records that are read into memory (notes, attributes) are smaller by far. */
#define RECORD_MAX 65536
/* Sections of one file that are looked at, and how many at once. */
#define SECTIONS_MAX 65536
#define SECTIONS_RUN 64

/* Segments of ARM, MIPS and RISC-V share the numbers of the processor's own. */
#define PT_MIPS_FLAGS	     0x70000003u
#define PT_RISCV_ATTRIBUTES_ 0x70000003u
#define SHT_ATTRIBUTES	     0x70000003u /* of ARM and of RISC-V */
#define SHT_MIPS_FLAGS	     0x7000002au

/* A segment or section, of either class. */
struct part {
	uint64_t type;
	uint64_t flags;
	uint64_t offset;
	uint64_t size;
	uint64_t memory;
	uint64_t align;
};

/* The header's numbers. */
struct tables {
	uint64_t phoff;
	uint64_t shoff;
	uint64_t phentsize;
	uint64_t phnum;
	uint64_t shentsize;
	uint64_t shnum;
};

#define FIELD(in, at, type, field)                                                                 \
	((in)->wide ? xb_facts_number((in), (at) + offsetof(Elf64_##type, field),                  \
				      sizeof(((Elf64_##type *)NULL)->field))                       \
		    : xb_facts_number((in), (at) + offsetof(Elf32_##type, field),                  \
				      sizeof(((Elf32_##type *)NULL)->field)))

static struct part segment(const struct xb_facts_reader *in, const unsigned char *at)
{
	return (struct part){ .type = FIELD(in, at, Phdr, p_type),
			      .flags = FIELD(in, at, Phdr, p_flags),
			      .offset = FIELD(in, at, Phdr, p_offset),
			      .size = FIELD(in, at, Phdr, p_filesz),
			      .memory = FIELD(in, at, Phdr, p_memsz),
			      .align = FIELD(in, at, Phdr, p_align) };
}

static struct part section(const struct xb_facts_reader *in, const unsigned char *at)
{
	return (struct part){ .type = FIELD(in, at, Shdr, sh_type),
			      .flags = FIELD(in, at, Shdr, sh_flags),
			      .offset = FIELD(in, at, Shdr, sh_offset),
			      .size = FIELD(in, at, Shdr, sh_size),
			      .align = FIELD(in, at, Shdr, sh_addralign) };
}

static bool outside(const struct xb_facts_reader *in, const struct part *part)
{
	return part->offset > in->size || part->size > in->size - part->offset;
}

static int read_header(struct xb_facts_reader *in, struct xb_facts *facts, struct tables *ret,
		       struct xb_error *err)
{
	unsigned char head[sizeof(Elf64_Ehdr)] = { 0 };
	struct xb_elf_code *code = &facts->elf;
	int r = xb_facts_get(in, head, EI_NIDENT, 0, err);

	if (r <= 0)
		return r;
	code->class = head[EI_CLASS];
	code->data = head[EI_DATA];
	code->osabi = head[EI_OSABI];
	if ((code->class != ELFCLASS32 && code->class != ELFCLASS64) ||
	    (code->data != ELFDATA2LSB && code->data != ELFDATA2MSB))
		return 0;
	in->big = code->data == ELFDATA2MSB;
	in->wide = code->class == ELFCLASS64;
	r = xb_facts_get(in, head, in->wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr), 0, err);
	if (r <= 0)
		return r;
	code->type = (uint16_t)FIELD(in, head, Ehdr, e_type);
	code->machine = (uint16_t)FIELD(in, head, Ehdr, e_machine);
	code->flags = (uint32_t)FIELD(in, head, Ehdr, e_flags);
	*ret = (struct tables){ .phoff = FIELD(in, head, Ehdr, e_phoff),
				.shoff = FIELD(in, head, Ehdr, e_shoff),
				.phentsize = FIELD(in, head, Ehdr, e_phentsize),
				.phnum = FIELD(in, head, Ehdr, e_phnum),
				.shentsize = FIELD(in, head, Ehdr, e_shentsize),
				.shnum = FIELD(in, head, Ehdr, e_shnum) };
	return 1;
}

/* A record as what `read` takes it for; `what` is said when it cannot be. */
static int read_record(const struct xb_facts_reader *in, const struct part *part, const char *what,
		       struct xb_facts *facts, struct xb_error *err)
{
	xb_autofree unsigned char *data = NULL;
	struct xb_elf_code *code = &facts->elf;
	bool good;
	int r;

	if (part->size > RECORD_MAX) {
		facts->partial = true;
		return 0;
	}
	data = xb_alloc((size_t)part->size);
	r = xb_facts_get(in, data, (size_t)part->size, part->offset, err);
	if (r < 0)
		return r;
	if (part->type == PT_NOTE || part->type == PT_GNU_PROPERTY)
		good = r > 0 &&
		       xb_facts_notes(in, data, (size_t)part->size, part->align == 8 ? 8 : 4, code);
	else if (code->machine == EM_MIPS)
		good = r > 0 && xb_facts_mips_flags(in, data, (size_t)part->size, code);
	else
		good = r > 0 && xb_facts_attributes(in, data, (size_t)part->size, code);
	if (!good)
		xb_facts_damage(in, facts, what);
	return 0;
}

/* SHT_NOTE and PT_NOTE differ; the rest of a record's types mean one thing in both. */
static int read_section(const struct xb_facts_reader *in, const struct part *part, bool notes,
			struct xb_facts *facts, struct xb_error *err)
{
	uint16_t machine = facts->elf.machine;
	struct part record = *part;

	if (part->type == SHT_NOBITS && (part->flags & SHF_EXECINSTR) != 0 && part->size > 0 &&
	    facts->elf.type != ET_REL)
		facts->elf.debug_only = true;
	if (part->type == SHT_NOTE && notes) {
		record.type = PT_NOTE;
		return read_record(in, &record, "its notes contradict themselves", facts, err);
	}
	record.type = PT_NULL;
	if ((part->type == SHT_ATTRIBUTES && (machine == EM_ARM || machine == EM_RISCV)) ||
	    (part->type == SHT_MIPS_FLAGS && machine == EM_MIPS))
		return read_record(in, &record, "its build attributes contradict themselves", facts,
				   err);
	return 0;
}

/* How many sections there are: as Linux's tools have it, in the first one when 0 is written. */
static int count_sections(const struct xb_facts_reader *in, struct tables *t, struct xb_error *err)
{
	unsigned char first[sizeof(Elf64_Shdr)];
	int r;

	if (t->shnum != 0 || t->shoff == 0)
		return 1;
	r = xb_facts_get(in, first, (size_t)t->shentsize, t->shoff, err);
	if (r > 0)
		t->shnum = section(in, first).size;
	return r;
}

static int read_sections(const struct xb_facts_reader *in, struct tables *t, bool notes,
			 struct xb_facts *facts, struct xb_error *err)
{
	unsigned char run[SECTIONS_RUN * sizeof(Elf64_Shdr)];
	size_t row = in->wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
	int r;

	if (t->shoff == 0)
		return 1;
	if (t->shentsize != row)
		return 0;
	r = count_sections(in, t, err);
	if (r <= 0)
		return r;
	if (t->shnum > SECTIONS_MAX) {
		facts->partial = true;
		t->shnum = SECTIONS_MAX;
	}
	for (uint64_t i = 0; i < t->shnum; i += SECTIONS_RUN) {
		size_t n = t->shnum - i < SECTIONS_RUN ? (size_t)(t->shnum - i) : SECTIONS_RUN;

		if (t->shoff > in->size) /* before anything is added to it */
			return 0;
		r = xb_facts_get(in, run, n * row, t->shoff + i * row, err);
		for (size_t k = 0; r > 0 && k < n; k++) {
			struct part part = section(in, run + k * row);

			r = read_section(in, &part, notes, facts, err);
			r = r < 0 ? r : 1;
		}
		if (r <= 0)
			return r;
	}
	return 1;
}

/* As Linux has it: the name is between one character and PATH_MAX, its NUL included. */
static int read_interpreter(const struct xb_facts_reader *in, const struct part *part,
			    struct xb_facts *facts, struct xb_error *err)
{
	int r;

	if (facts->interpreter != NULL)
		return 0;
	if (part->size < 2 || part->size > XB_ELF_INTERPRETER_SIZE || outside(in, part)) {
		xb_facts_damage(in, facts, "the name of its interpreter has an impossible size");
		return 0;
	}
	r = xb_facts_get_text(in, part->offset, (size_t)part->size, &facts->interpreter, err);
	if (r == 0)
		xb_facts_damage(in, facts, "the name of its interpreter is cut off");
	return r < 0 ? r : 0;
}

static bool is_record(const struct xb_facts *facts, uint64_t type)
{
	uint16_t machine = facts->elf.machine;

	return type == PT_NOTE || type == PT_GNU_PROPERTY ||
	       (type == PT_MIPS_FLAGS && machine == EM_MIPS) ||
	       (type == PT_RISCV_ATTRIBUTES_ && machine == EM_RISCV);
}

static int read_segment(const struct xb_facts_reader *in, const struct part *part,
			const unsigned char *phdrs, size_t count, struct xb_facts *facts,
			struct xb_error *err)
{
	if (part->type == PT_LOAD && (outside(in, part) || part->size > part->memory))
		xb_facts_damage(in, facts, "what is to be loaded of it is cut off");
	if (part->type == PT_INTERP)
		return read_interpreter(in, part, facts, err);
	if (part->type == PT_DYNAMIC) {
		facts->dynamic = true;
		return xb_facts_dynamic(in, phdrs, count, part->offset, part->size, facts, err);
	}
	if (is_record(facts, part->type))
		return read_record(in, part, "its notes contradict themselves", facts, err);
	return 0;
}

static int read_segments(const struct xb_facts_reader *in, const struct tables *t,
			 struct xb_facts *facts, struct xb_error *err)
{
	size_t row = in->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	xb_autofree unsigned char *phdrs = NULL;
	int r;

	if (t->phnum == 0)
		return 0;
	if (t->phentsize != row || t->phnum > XB_ELF_PHDRS_MAX) {
		xb_facts_damage(in, facts, "its program headers have an impossible size");
		return 0;
	}
	phdrs = xb_alloc((size_t)t->phnum * row);
	r = xb_facts_get(in, phdrs, (size_t)t->phnum * row, t->phoff, err);
	if (r == 0)
		xb_facts_damage(in, facts, "its program headers are cut off");
	for (size_t i = 0; r > 0 && i < t->phnum; i++) {
		struct part part = segment(in, phdrs + i * row);

		r = read_segment(in, &part, phdrs, (size_t)t->phnum, facts, err);
		r = r < 0 ? r : 1;
	}
	return r < 0 ? r : 0;
}

/* Which members of archives have attributes that say more than their header. */
static bool has_attributes(const struct xb_facts *facts)
{
	uint16_t machine = facts->elf.machine;

	return machine == EM_ARM || machine == EM_RISCV || machine == EM_MIPS;
}

int xb_facts_elf(struct xb_facts_reader *in, bool member, struct xb_facts *facts,
		 struct xb_error *err)
{
	struct tables tables = { 0 };
	int r = read_header(in, facts, &tables, err);

	if (r == 0)
		xb_facts_damage(in, facts, "its header is cut off or of no class and byte order");
	/* What a core file's segments hold is a process, not a program. */
	if (r <= 0 || facts->elf.type == ET_CORE || (member && !has_attributes(facts)))
		return r < 0 ? r : 0;
	/* Programs run without section headers, hence these are no more than told of. */
	r = read_sections(in, &tables, tables.phnum == 0, facts, err);
	if (r == 0)
		xb_facts_damage(in, facts, "its section headers are cut off");
	if (r < 0 || facts->elf.debug_only || member)
		return r < 0 ? r : 0;
	return read_segments(in, &tables, facts, err);
}
