/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The table of architectures: what each is called by OCI, ELF, uname, Debian and qemu.
 *
 * All that xbuild knows of an architecture is one row; a new one is added there and nowhere else
 * (docs/hacking.md). Rows are constant and live for ever. Variants of one architecture are
 * neighbours, oldest first; a row whose variant is "" stands for every variant without a row.
 */
#ifndef XB_PLATFORMS_ARCH_H
#define XB_PLATFORMS_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platforms/platform.h"

/** One row. */
struct xb_arch {
	const char *name;     /**< OCI architecture: "arm" */
	const char *variant;  /**< OCI variant: "v7", or "" */
	const char *machine;  /**< `uname -m` of such a Linux: "armv7l" */
	const char *debian;   /**< Debian's name: "armhf"; NULL where Debian has no port */
	const char *qemu;     /**< what follows "qemu-" in the user emulator's name: "arm" */
	uint16_t elf_machine; /**< e_machine: EM_ARM */
	uint8_t elf_class;    /**< e_ident[EI_CLASS]: ELFCLASS32 */
	uint8_t elf_data;     /**< e_ident[EI_DATA]: ELFDATA2LSB */
	uint32_t flags_mask;  /**< the bits of e_flags that tell this ABI from others of the machine
			       */
	uint32_t flags_value; /**< what they must be */
};

/** The `index`-th row, NULL past the last. */
const struct xb_arch *xb_arch_at(size_t index);

/**
 * The row of a platform (normalised inside): that of its variant, else the architecture's row
 * without a variant. NULL when the architecture is unknown or the system is not linux.
 */
const struct xb_arch *xb_arch_of_platform(const struct xb_platform *p);

/** The row of what `uname -m` says; NULL when it is unknown. */
const struct xb_arch *xb_arch_of_machine(const char *machine);

/**
 * The row that an ELF header's fields belong to, the oldest variant where they do not tell (arm);
 * NULL when there is none (x32, mips n32, big-endian arm64…).
 */
const struct xb_arch *xb_arch_of_elf(uint8_t elf_class, uint8_t elf_data, uint16_t elf_machine,
				     uint32_t flags);

/** Whether programs of `a` and `b` cannot be told apart by their ELF header (arm's variants). */
bool xb_arch_same_elf(const struct xb_arch *a, const struct xb_arch *b);

/** The row as a normalised platform of linux. */
struct xb_platform xb_arch_platform(const struct xb_arch *arch);

#endif
