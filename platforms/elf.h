/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What an ELF file says about the platform it is for.
 *
 * Files are hostile until proved otherwise: reads are by position and bounded (the header, at most
 * XB_ELF_PHDRS_MAX program headers, one interpreter name), offsets are checked for overflow, and
 * nothing is mapped.
 * Source: System V gABI, chapters 4 and 5; psABI supplements for e_flags.
 */
#ifndef XB_PLATFORMS_ELF_H
#define XB_PLATFORMS_ELF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "platforms/arch.h"
#include "platforms/platform.h"

/** Most program headers that are looked at; Linux itself reads no more than 64 KiB of them. */
#define XB_ELF_PHDRS_MAX 1024
/** Room for the interpreter's name and its NUL: PATH_MAX, as for Linux. */
#define XB_ELF_INTERPRETER_SIZE 4096

/** The facts. A plain value; zeroed when the file is not ELF. */
struct xb_elf_info {
	bool is_elf;	      /**< it begins with the ELF magic */
	uint8_t class;	      /**< ELFCLASS32 or ELFCLASS64 */
	uint8_t data;	      /**< ELFDATA2LSB or ELFDATA2MSB */
	uint8_t osabi;	      /**< e_ident[EI_OSABI] */
	uint16_t type;	      /**< ET_REL, ET_EXEC, ET_DYN, ET_CORE… */
	uint16_t machine;     /**< EM_… */
	uint32_t flags;	      /**< e_flags */
	bool dynamic;	      /**< it has a PT_DYNAMIC segment (static-pie programs do, too) */
	bool has_interpreter; /**< it has a PT_INTERP segment: a dynamically linked program */
	char interpreter[XB_ELF_INTERPRETER_SIZE]; /**< as written in the file; "" without one */
};

/**
 * Read what `fd`, a regular file, is; its position stays. A file that does not begin with the ELF
 * magic is no error: `is_elf` is false.
 * Errors: -EBADMSG for a file with the magic whose headers are cut off or contradict themselves,
 * with `ret` filled as far as it went; those of pread().
 */
int xb_elf_identify(int fd, struct xb_elf_info *ret, struct xb_error *err);

/** The row of the architecture that the file is for; NULL when it is not ELF or the table lacks it.
 */
const struct xb_arch *xb_elf_arch(const struct xb_elf_info *info);

/**
 * The platform that the file is for; for arm without a variant, since the header does not tell
 * it. Returns false, `ret` untouched, when xb_elf_arch() is NULL.
 */
bool xb_elf_platform(const struct xb_elf_info *info, struct xb_platform *ret);

#endif
