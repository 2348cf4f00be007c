/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Bounded reading for platforms/facts*: a window of a file (all of it, or a member of an archive),
 * a byte order, and a budget. For those modules only.
 *
 * Readers return 1 when all that was asked for was read, 0 when it lies outside of the window or
 * the budget is spent, a negative errno when the file's callback failed.
 */
#ifndef XB_PLATFORMS_FACTS_READER_H
#define XB_PLATFORMS_FACTS_READER_H

#include "platforms/facts.h"

/** A plain value; `budget` is shared by the windows of one file. */
struct xb_facts_reader {
	const struct xb_facts_source *source;
	uint64_t start;	  /**< where the window begins in the file */
	uint64_t size;	  /**< bytes of the window; start + size does not overflow */
	uint64_t *budget; /**< bytes that may still be read */
	bool big;	  /**< numbers are big-endian */
	bool wide;	  /**< ELFCLASS64 */
	bool *spent;	  /**< set when the budget refused a read */
};

/** Read `len` bytes at `offset` of the window. */
int xb_facts_get(const struct xb_facts_reader *in, void *to, size_t len, uint64_t offset,
		 struct xb_error *err);
/**
 * Read the text at `offset`, whose NUL lies within the window and `max` bytes; into `*ret`, owned
 * by the caller, which is untouched unless 1 is returned.
 */
int xb_facts_get_text(const struct xb_facts_reader *in, uint64_t offset, size_t max, char **ret,
		      struct xb_error *err);
/** The unsigned number of `size` bytes (1 to 8) at `at`, in the reader's byte order. */
uint64_t xb_facts_number(const struct xb_facts_reader *in, const unsigned char *at, size_t size);
/** Note half a sentence of what is wrong, unless something was noted or the budget is to blame. */
void xb_facts_damage(const struct xb_facts_reader *in, struct xb_facts *facts, const char *what);

/** Append `name`, which is taken over; what passes XB_FACTS_NAMES_MAX is released instead. */
void xb_facts_name_add(struct xb_facts_names *names, char *name);

/** Read the ELF file in the window, whose magic was seen. Of a member of an archive (`member`)
 * only what the processor is: no libraries, no notes. */
int xb_facts_elf(struct xb_facts_reader *in, bool member, struct xb_facts *facts,
		 struct xb_error *err);
/** Read PT_DYNAMIC, `size` bytes at `offset`, with the program headers for its addresses. */
int xb_facts_dynamic(const struct xb_facts_reader *in, const unsigned char *phdrs, size_t count,
		     uint64_t offset, uint64_t size, struct xb_facts *facts, struct xb_error *err);
/** Read the archive in the window, whose magic was seen. */
int xb_facts_ar(struct xb_facts_reader *in, struct xb_facts *facts, struct xb_error *err);

/** Read build attributes (SHT_ARM_ATTRIBUTES, SHT_RISCV_ATTRIBUTES); false when they contradict
 * themselves. */
bool xb_facts_attributes(const struct xb_facts_reader *in, const unsigned char *data, size_t len,
			 struct xb_elf_code *ret);
/** Read notes that are aligned to `align` (4 or 8) bytes; false when they contradict themselves. */
bool xb_facts_notes(const struct xb_facts_reader *in, const unsigned char *data, size_t len,
		    size_t align, struct xb_elf_code *ret);
/** Read an ABI flags record of MIPS (24 bytes); false when it is too short. */
bool xb_facts_mips_flags(const struct xb_facts_reader *in, const unsigned char *data, size_t len,
			 struct xb_elf_code *ret);

#endif
