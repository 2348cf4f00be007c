/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Whether a file belongs into an image of a platform: facts of a file (platforms/facts.h) held
 * against the platform by a table of rules. docs/audit.md is that table for people.
 *
 * Only what a file says by itself is looked at here; whether its interpreter and libraries are in
 * the image is a question to the image's tree.
 */
#ifndef XB_PLATFORMS_AUDIT_H
#define XB_PLATFORMS_AUDIT_H

#include <stddef.h>

#include "base/str.h"
#include "platforms/facts.h"
#include "platforms/platform.h"

/** How bad a finding is; larger is worse. */
enum xb_audit_grade {
	XB_AUDIT_NOTE,	  /**< foreign by design as far as can be seen */
	XB_AUDIT_WARNING, /**< cannot run as it is, but may never be meant to */
	XB_AUDIT_ERROR	  /**< fails as soon as it is used */
};

/** A rule; constant, lives for ever. Its id is part of the interface: allow files name it. */
struct xb_audit_rule {
	const char *id;		   /**< "elf-machine" */
	enum xb_audit_grade grade; /**< the worst that it is graded */
	const char *what;   /**< half a sentence of what is wrong: "its machine is another" */
	const char *remedy; /**< one thing to do about it */
};

/** One finding. */
struct xb_audit_finding {
	const struct xb_audit_rule *rule;
	enum xb_audit_grade
		grade;	/**< the rule's, or one less: objects and debug files run nothing */
	char *sentence; /**< what is wrong, the file's architecture and the platform's; owned. It
			   may hold bytes of the file */
};

/** Findings of one file; zeroed, there are none. */
struct xb_audit_findings {
	struct xb_audit_finding *items;
	size_t len;
};

/** Release the findings and set them to zero. */
void xb_audit_findings_clear(struct xb_audit_findings *findings);

#define xb_auto_audit_findings XB_CLEANUP(xb_audit_findings_clear)

/** "error", "warning", "note". */
const char *xb_audit_grade_name(enum xb_audit_grade grade);

/** The `index`-th rule, NULL past the last. */
const struct xb_audit_rule *xb_audit_rule_at(size_t index);

/**
 * Append what is to be said of a file to `findings`. `path` is its name in the image: firmware,
 * sysroots of cross compilers and glibc's directories of processor levels are told by it.
 * `platform` is the image's; it is normalised inside. Of a platform that the table of
 * architectures lacks nothing is said about ELF files.
 */
void xb_audit_file(const char *path, const struct xb_facts *facts,
		   const struct xb_platform *platform, struct xb_audit_findings *findings);

/** Append what code is for: "arm64 (64-bit, little-endian)", "arm (32-bit, …, ARMv7, hard-float)".
 */
void xb_audit_describe(const struct xb_elf_code *code, struct xb_str *out);

#endif
