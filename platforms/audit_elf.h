/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What rules and sentences of the audit both ask of ELF code. For platforms/audit* only; pure
 * functions of plain values.
 */
#ifndef XB_PLATFORMS_AUDIT_ELF_H
#define XB_PLATFORMS_AUDIT_ELF_H

#include <stdbool.h>
#include <stdint.h>

#include "platforms/facts.h"

/** How floating point numbers are passed. */
enum xb_audit_float { XB_AUDIT_FLOAT_UNSAID, XB_AUDIT_FLOAT_SOFT, XB_AUDIT_FLOAT_HARD };

/** Val_GNU_MIPS_ABI_FP_SOFT, of struct xb_elf_code's mips.fp_abi. */
#define XB_AUDIT_MIPS_SOFT 3

/** The version of ARM's EABI in e_flags: 5 for all that is current, 0 for none. */
unsigned xb_audit_arm_eabi(const struct xb_elf_code *code);
/** The calling convention of ARM code: by e_flags, else by its attributes. */
enum xb_audit_float xb_audit_arm_float(const struct xb_elf_code *code);
/** Whether MIPS code is for release 6, which runs nothing older and is run by nothing older. */
bool xb_audit_mips_r6(const struct xb_elf_code *code);
/** The highest level, 1 to 4, in GNU_PROPERTY_X86_ISA_1_…; 1 when there is none. */
unsigned xb_audit_amd64_level(uint32_t isa);

#endif
