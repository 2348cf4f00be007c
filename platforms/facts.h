/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What a file says of the machine that it is for.
 *
 * Files are hostile until proved otherwise and may be gigabytes: they are read by position through
 * a callback, at most XB_FACTS_BUDGET bytes of each (of an archive: of all its members), and no
 * number in them is believed before it was held against the size of the file. What program headers
 * tell is taken from them, so that files without section headers are known as well.
 * Source: System V gABI, chapters 4 and 5; the psABI supplements; "ABI for the Arm Architecture:
 * addenda" (build attributes); Linux ABI extensions to gABI (GNU properties); Microsoft PE format;
 * Apple's mach-o/loader.h and fat.h; WebAssembly core specification, binary format.
 */
#ifndef XB_PLATFORMS_FACTS_H
#define XB_PLATFORMS_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/** Most bytes that are read of one file. */
#define XB_FACTS_BUDGET ((uint64_t)32 << 20)
/** Most names of one kind (libraries, versions, kinds of members) that are kept. */
#define XB_FACTS_NAMES_MAX 4096
/** Most slices of a fat Mach-O file; what claims more is a Java class, which has the same magic. */
#define XB_FACTS_SLICES_MAX 42

/** A file to be read. */
struct xb_facts_source {
	/**
	 * Read up to `len` bytes that begin at `offset`; fewer only at the end of the file. Returns
	 * their number or a negative errno with `err` filled.
	 */
	ssize_t (*read)(void *context, void *to, size_t len, uint64_t offset, struct xb_error *err);
	void *context; /**< the callback's own */
	uint64_t size; /**< bytes of the file */
};

/** What kind of file it is. */
enum xb_facts_kind {
	XB_FACTS_OTHER, /**< nothing that says what machine it is for */
	XB_FACTS_ELF,
	XB_FACTS_AR, /**< an archive of objects: lib….a */
	XB_FACTS_PE,
	XB_FACTS_MACHO, /**< one slice, or a fat file of several */
	XB_FACTS_WASM,
	XB_FACTS_SCRIPT /**< begins with "#!" */
};

/** What an ELF file says of the processor and its ABI. A plain value. */
struct xb_elf_code {
	uint8_t class;	  /**< ELFCLASS32 or ELFCLASS64 */
	uint8_t data;	  /**< ELFDATA2LSB or ELFDATA2MSB */
	uint8_t osabi;	  /**< e_ident[EI_OSABI] */
	uint16_t type;	  /**< ET_REL, ET_EXEC, ET_DYN, ET_CORE… */
	uint16_t machine; /**< EM_… */
	uint32_t flags;	  /**< e_flags */
	bool debug_only;  /**< its code was taken out: a separate file of debug information */
	struct {
		bool present;	    /**< the file has the attributes of vendor "aeabi" */
		uint32_t cpu_arch;  /**< Tag_CPU_arch: 6 is ARMv6, 10 is ARMv7 */
		uint32_t profile;   /**< Tag_CPU_arch_profile: 'A', 'R', 'M', 'S' or 0 */
		uint32_t fp_arch;   /**< Tag_FP_arch: 0 none, 2 VFPv2, 3 VFPv3… */
		uint32_t simd_arch; /**< Tag_Advanced_SIMD_arch: 0 none, 1 NEON… */
		uint32_t vfp_args;  /**< Tag_ABI_VFP_args: 1 passes arguments in VFP registers */
	} arm;
	char riscv_arch[256]; /**< Tag_RISCV_arch, cut off where it is longer: "rv64i2p0_m2p0…" */
	struct {
		bool present;	   /**< it has an ABI flags record */
		uint8_t isa_level; /**< 1 to 5, 32, 64 */
		uint8_t isa_rev;   /**< 0 to 6 */
		uint8_t fp_abi;	   /**< Val_GNU_MIPS_ABI_FP_…: 1 double, 3 soft, 5 xx, 6 64… */
		uint32_t ases;	   /**< AFL_ASE_… */
	} mips;
	uint32_t x86_needed;	   /**< GNU_PROPERTY_X86_ISA_1_NEEDED: bit 0 baseline, bit 3 v4 */
	uint32_t x86_used;	   /**< GNU_PROPERTY_X86_ISA_1_USED */
	uint32_t x86_features;	   /**< GNU_PROPERTY_X86_FEATURE_1_AND: bit 0 IBT, bit 1 SHSTK */
	uint32_t aarch64_features; /**< GNU_PROPERTY_AARCH64_FEATURE_1_AND: bit 0 BTI, bit 1 PAC */
};

/** Names, in the file's order; owned. */
struct xb_facts_names {
	char **items;
	size_t len;
};

/** A version of symbols that is needed of a library; owned. */
struct xb_facts_version {
	char *file;    /**< "libc.so.6" */
	char *version; /**< "GLIBC_2.38" */
};

/** Members of an archive that are for the same machine. */
struct xb_facts_member {
	char *name;	    /**< the first of them; owned */
	size_t count;	    /**< how many they are */
	const char *damage; /**< as that of struct xb_facts, for the first of them */
	struct xb_elf_code elf;
};

/** The facts. Zeroed, it is XB_FACTS_OTHER; owned strings go with xb_facts_clear(). */
struct xb_facts {
	enum xb_facts_kind kind;
	const char *damage; /**< half a sentence of what contradicts itself or is cut off, constant;
			       NULL while nothing is. What was read before it stands */
	bool partial;	    /**< the budget ended before the file did */

	struct xb_elf_code elf;
	bool dynamic;	   /**< it has a PT_DYNAMIC segment */
	char *interpreter; /**< PT_INTERP, or NULL; of a script the program behind "#!" */
	char *argument;	   /**< what stands behind a script's interpreter, or NULL */
	char *soname;	   /**< DT_SONAME or NULL */
	char *rpath;	   /**< DT_RPATH or NULL */
	char *runpath;	   /**< DT_RUNPATH or NULL */
	uint64_t flags_1;  /**< DT_FLAGS_1: DF_1_PIE, DF_1_NODEFLIB… */
	struct xb_facts_names needed;  /**< DT_NEEDED */
	struct xb_facts_names defined; /**< versions of symbols that it defines, its name's first */
	struct xb_facts_version *versions; /**< versions that it needs */
	size_t versions_len;

	struct xb_facts_member *members; /**< of an archive: one for each kind of code */
	size_t members_len;

	uint16_t pe_machine; /**< IMAGE_FILE_MACHINE_… */
	bool pe_managed; /**< .NET: its code is for any machine unless pe_machine is one of 64 bit
			  */
	uint32_t slices[XB_FACTS_SLICES_MAX]; /**< CPU_TYPE_… of a Mach-O file */
	size_t slices_len;
	bool component; /**< a WebAssembly component, not a module */
};

/**
 * Read what a file is. A file of no known kind and a damaged one are no errors: see `kind` and
 * `damage`. `ret` need not be initialised and holds facts, maybe few, on errors, too; the caller
 * clears it in either case. Errors: those of the callback.
 */
int xb_facts_read(const struct xb_facts_source *source, struct xb_facts *ret, struct xb_error *err);

/** As xb_facts_read(), of an open regular file, whose position stays. Errors: of fstat(), pread().
 */
int xb_facts_read_fd(int fd, struct xb_facts *ret, struct xb_error *err);

/** Release what the facts hold and set them to zero. */
void xb_facts_clear(struct xb_facts *facts);

#define xb_auto_facts XB_CLEANUP(xb_facts_clear)

/** Whether it is a program that needs no other file to start: no interpreter, no libraries. */
bool xb_facts_is_static(const struct xb_facts *facts);

#endif
