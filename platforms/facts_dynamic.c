/* SPDX-License-Identifier: Apache-2.0 */
/* What the dynamic linker is told: libraries, paths, versions of symbols. Addresses become offsets
 * through the loaded segments, so that no section header is needed. */
#include <elf.h>
#include <string.h>

#include "base/str.h"
#include "platforms/facts_reader.h"

/* Entries that are looked at, and the bytes of a name. */
#define ENTRIES_MAX 8192
#define ENTRIES_RUN 64
#define TEXT_MAX    65536

struct dynamic {
	const struct xb_facts_reader *in;
	const unsigned char *phdrs;
	size_t phnum;
	struct xb_facts *facts;
	uint64_t strings; /* offset of DT_STRTAB in the file; its size follows */
	uint64_t strings_size;
	uint64_t values[6]; /* of the tags in `kept`, 0 while not there */
	uint64_t needed[XB_FACTS_NAMES_MAX];
	size_t needed_len;
};

enum kept { STRTAB, STRSZ, VERNEED, VERNEEDNUM, VERDEF, VERDEFNUM };

/* The tags whose values are looked at when all are known. */
static const uint64_t kept_tags[] = { DT_STRTAB,     DT_STRSZ,	DT_VERNEED,
				      DT_VERNEEDNUM, DT_VERDEF, DT_VERDEFNUM };

/* The offset in the file of an address that is loaded from it; false when none is. */
static bool offset_of(const struct dynamic *d, uint64_t address, uint64_t *ret)
{
	size_t row = d->in->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	size_t word = d->in->wide ? 8 : 4;
	size_t at[3] = { offsetof(Elf32_Phdr, p_offset), offsetof(Elf32_Phdr, p_vaddr),
			 offsetof(Elf32_Phdr, p_filesz) };

	if (d->in->wide) {
		at[0] = offsetof(Elf64_Phdr, p_offset);
		at[1] = offsetof(Elf64_Phdr, p_vaddr);
		at[2] = offsetof(Elf64_Phdr, p_filesz);
	}
	for (size_t i = 0; i < d->phnum; i++) {
		const unsigned char *p = d->phdrs + i * row;
		uint64_t offset = xb_facts_number(d->in, p + at[0], word);
		uint64_t start = xb_facts_number(d->in, p + at[1], word);
		uint64_t size = xb_facts_number(d->in, p + at[2], word);

		if (xb_facts_number(d->in, p, 4) != PT_LOAD || address < start ||
		    address - start >= size || offset > d->in->size)
			continue;
		*ret = offset + (address - start);
		return *ret >= offset && *ret < d->in->size;
	}
	return false;
}

/* A string of the table; 0 when there is none at `index`. */
static int text_at(const struct dynamic *d, uint64_t index, char **ret, struct xb_error *err)
{
	uint64_t left;

	if (index >= d->strings_size)
		return 0;
	left = d->strings_size - index;
	return xb_facts_get_text(d->in, d->strings + index,
				 left < TEXT_MAX ? (size_t)left : TEXT_MAX, ret, err);
}

static void note_entry(struct dynamic *d, uint64_t tag, uint64_t value)
{
	if (tag == DT_NEEDED && d->needed_len < XB_COUNT(d->needed))
		d->needed[d->needed_len++] = value;
	if (tag == DT_FLAGS_1)
		d->facts->flags_1 = value;
	for (size_t i = 0; i < XB_COUNT(kept_tags); i++)
		if (kept_tags[i] == tag)
			d->values[i] = value;
}

/* All entries up to DT_NULL, in runs; `each` gets tags and values. Returns 1, 0 when cut off. */
static int each_entry(struct dynamic *d, uint64_t offset, uint64_t size, struct xb_error *err,
		      int (*each)(struct dynamic *, uint64_t, uint64_t, struct xb_error *))
{
	unsigned char run[ENTRIES_RUN * sizeof(Elf64_Dyn)];
	size_t word = d->in->wide ? 8 : 4;
	uint64_t count = size / (2 * word);

	if (count > ENTRIES_MAX)
		count = ENTRIES_MAX;
	for (uint64_t i = 0; i < count; i += ENTRIES_RUN) {
		size_t n = count - i < ENTRIES_RUN ? (size_t)(count - i) : ENTRIES_RUN;
		int r = offset > d->in->size ? 0
					     : xb_facts_get(d->in, run, n * 2 * word,
							    offset + i * 2 * word, err);

		for (size_t k = 0; r > 0 && k < n; k++) {
			uint64_t tag = xb_facts_number(d->in, run + k * 2 * word, word);

			if (tag == DT_NULL)
				return 1;
			r = each(d, tag, xb_facts_number(d->in, run + (2 * k + 1) * word, word),
				 err);
		}
		if (r <= 0)
			return r;
	}
	return 1;
}

static int first_pass(struct dynamic *d, uint64_t tag, uint64_t value, struct xb_error *err)
{
	(void)err;
	note_entry(d, tag, value);
	return 1;
}

/* The texts that one entry has; the last one of a tag counts. */
static int second_pass(struct dynamic *d, uint64_t tag, uint64_t value, struct xb_error *err)
{
	char **to = tag == DT_SONAME	? &d->facts->soname
		    : tag == DT_RPATH	? &d->facts->rpath
		    : tag == DT_RUNPATH ? &d->facts->runpath
					: NULL;
	char *text = NULL;
	int r;

	if (to == NULL)
		return 1;
	r = text_at(d, value, &text, err);
	if (r <= 0)
		return r;
	free(*to);
	*to = text;
	return 1;
}

static int read_needed(struct dynamic *d, struct xb_error *err)
{
	for (size_t i = 0; i < d->needed_len; i++) {
		char *name = NULL;
		int r = text_at(d, d->needed[i], &name, err);

		if (r <= 0)
			return r;
		xb_facts_name_add(&d->facts->needed, name);
	}
	return 1;
}

static int add_version(struct dynamic *d, const char *file, uint64_t index, struct xb_error *err)
{
	struct xb_facts *facts = d->facts;
	char *version = NULL;
	int r = text_at(d, index, &version, err);

	if (r <= 0)
		return r;
	if (facts->versions_len >= XB_FACTS_NAMES_MAX) {
		free(version);
		facts->partial = true;
		return 1;
	}
	facts->versions =
		xb_realloc(facts->versions, facts->versions_len + 1, sizeof(*facts->versions));
	facts->versions[facts->versions_len++] =
		(struct xb_facts_version){ .file = xb_strdup(file), .version = version };
	return 1;
}

/* One library's versions: an Elf64_Verneed, the same in both classes, and its chain. */
static int read_need(struct dynamic *d, uint64_t offset, uint64_t *ret_next, struct xb_error *err)
{
	unsigned char row[sizeof(Elf64_Verneed)], aux[sizeof(Elf64_Vernaux)];
	xb_autofree char *file = NULL;
	uint64_t count, at;
	int r = xb_facts_get(d->in, row, sizeof(row), offset, err);

	if (r > 0)
		r = text_at(d, xb_facts_number(d->in, row + 4, 4), &file, err);
	if (r <= 0)
		return r;
	count = xb_facts_number(d->in, row + 2, 2);
	at = offset + xb_facts_number(d->in, row + 8, 4);
	*ret_next = xb_facts_number(d->in, row + 12, 4);
	for (uint64_t i = 0; i < count && i < XB_FACTS_NAMES_MAX; i++) {
		r = xb_facts_get(d->in, aux, sizeof(aux), at, err);
		if (r > 0)
			r = add_version(d, file, xb_facts_number(d->in, aux + 8, 4), err);
		if (r <= 0)
			return r;
		at += xb_facts_number(d->in, aux + 12, 4);
	}
	return 1;
}

/* One version that is defined: its first Elf64_Verdaux; those behind it are its parents. */
static int read_def(struct dynamic *d, uint64_t offset, uint64_t *ret_next, struct xb_error *err)
{
	unsigned char row[sizeof(Elf64_Verdef)], aux[sizeof(Elf64_Verdaux)];
	char *name = NULL;
	int r = xb_facts_get(d->in, row, sizeof(row), offset, err);

	if (r <= 0)
		return r;
	*ret_next = xb_facts_number(d->in, row + 16, 4);
	r = xb_facts_get(d->in, aux, sizeof(aux), offset + xb_facts_number(d->in, row + 12, 4),
			 err);
	if (r > 0)
		r = text_at(d, xb_facts_number(d->in, aux, 4), &name, err);
	if (r > 0)
		xb_facts_name_add(&d->facts->defined, name);
	return r;
}

/* A chain of `count` rows that begins at the address `start`. */
static int read_chain(struct dynamic *d, uint64_t start, uint64_t count, struct xb_error *err,
		      int (*read)(struct dynamic *, uint64_t, uint64_t *, struct xb_error *))
{
	uint64_t offset, next = 0;

	if (start == 0 || count == 0)
		return 1;
	if (!offset_of(d, start, &offset))
		return 0;
	for (uint64_t i = 0; i < count && i < XB_FACTS_NAMES_MAX; i++) {
		int r = read(d, offset, &next, err);

		if (r <= 0)
			return r;
		if (next == 0)
			return i + 1 == count;
		offset += next;
	}
	return 1;
}

static int read_texts(struct dynamic *d, uint64_t offset, uint64_t size, struct xb_error *err)
{
	int r;

	if (d->values[STRTAB] == 0)
		return d->needed_len == 0; /* static-pie programs may have none */
	if (!offset_of(d, d->values[STRTAB], &d->strings))
		return 0;
	d->strings_size = d->values[STRSZ];
	if (d->strings_size > d->in->size - d->strings)
		return 0;
	r = each_entry(d, offset, size, err, second_pass);
	if (r > 0)
		r = read_needed(d, err);
	if (r > 0)
		r = read_chain(d, d->values[VERNEED], d->values[VERNEEDNUM], err, read_need);
	if (r > 0)
		r = read_chain(d, d->values[VERDEF], d->values[VERDEFNUM], err, read_def);
	return r;
}

int xb_facts_dynamic(const struct xb_facts_reader *in, const unsigned char *phdrs, size_t count,
		     uint64_t offset, uint64_t size, struct xb_facts *facts, struct xb_error *err)
{
	xb_autofree struct dynamic *d = xb_calloc(1, sizeof(*d));
	int r;

	*d = (struct dynamic){ .in = in, .phdrs = phdrs, .phnum = count, .facts = facts };
	r = each_entry(d, offset, size, err, first_pass);
	if (r > 0)
		r = read_texts(d, offset, size, err);
	if (r == 0)
		xb_facts_damage(in, facts, "what it tells the dynamic linker contradicts itself");
	return r < 0 ? r : 0;
}
