/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Tiny static programs for every architecture of the table, made from hand-written machine code, so
 * that it can be tried whether such programs run here without a compiler or an image of theirs.
 * Each writes its 16-byte name to standard output and exits with status 42.
 *
 * All are one ELF file of XB_TINY_SIZE bytes in one segment at XB_TINY_BASE: headers at 0, code at
 * XB_TINY_CODE, the name at XB_TINY_TEXT. So each program does, with the Linux system calls of its
 * architecture: write(1, XB_TINY_BASE + XB_TINY_TEXT, 16); exit(42).
 */
#ifndef XB_PLATFORMS_TINY_H
#define XB_PLATFORMS_TINY_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include "platforms/arch.h"

#define XB_TINY_BASE   0x400000u
#define XB_TINY_CODE   0x80u
#define XB_TINY_TEXT   0x100u
#define XB_TINY_NAME   16u
#define XB_TINY_SIZE   (XB_TINY_TEXT + XB_TINY_NAME)
#define XB_TINY_STATUS 42
#define XB_TINY_COUNT  15

/** The code of one architecture: 32-bit instruction words, or bytes where they vary in length. */
struct xb_tiny {
	const char *platform; /**< "linux/arm/v7" */
	uint32_t flags;	      /**< e_flags that a compiler would set */
	uint32_t words[10];   /**< the first is 0: `bytes` count */
	unsigned char bytes[40];
};

/** All of them. */
extern const struct xb_tiny xb_tiny_table[XB_TINY_COUNT];

/** The code for a platform's name, or NULL. */
const struct xb_tiny *xb_tiny_find(const char *platform);
/** Make the program of `code`, whose row of the table of architectures is `arch`. */
void xb_tiny_make(const struct xb_tiny *code, const struct xb_arch *arch,
		  unsigned char file[XB_TINY_SIZE]);
/** What the program of `code` prints, with a NUL: its platform's name, padded, and a newline. */
void xb_tiny_name(const struct xb_tiny *code, char text[XB_TINY_NAME + 1]);

/** Write a number of `size` bytes in the architecture's byte order. */
void xb_tiny_put(unsigned char *at, const struct xb_arch *arch, size_t size, uint64_t value);
/** Write a member of a structure that is at `offset` of the file. */
#define XB_TINY_FIELD(file, arch, offset, type, field, value)                                      \
	xb_tiny_put((file) + (offset) + offsetof(type, field), arch, sizeof(((type *)0)->field),   \
		    value)

#endif
