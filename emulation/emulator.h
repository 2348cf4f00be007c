/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Finding the program that runs another architecture's programs: a static qemu-user.
 *
 * It has to be static, since it is opened once at registration (flag F) and then started inside
 * images that have none of its libraries.
 */
#ifndef XB_EMULATION_EMULATOR_H
#define XB_EMULATION_EMULATOR_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"
#include "platforms/arch.h"
#include "platforms/platform.h"

/** One emulator. `path` is owned. */
struct xb_emulator {
	char *path;		    /**< absolute path on the host */
	char version[32];	    /**< "7.2.22", or "" when it did not say one */
	const struct xb_arch *arch; /**< what it emulates */
};

#define XB_EMULATOR_INIT ((struct xb_emulator){ 0 })

/** Release what `e` holds and set it to XB_EMULATOR_INIT. */
void xb_emulator_clear(struct xb_emulator *e);
/** Make `to` (released first) a copy of `from`. */
void xb_emulator_copy(struct xb_emulator *to, const struct xb_emulator *from);

#define xb_auto_emulator XB_CLEANUP(xb_emulator_clear)

/** What the user said about emulators. Borrowed; NULL members have the meaning given. */
struct xb_emulator_options {
	const struct xb_strv
		*overrides;	 /**< `--emulator` values "linux/arm64=/path"; the last one that
				      fits counts. "linux/arm" stands for all its variants */
	const char *search_path; /**< directories with ':' between them; NULL: $PATH */
	const char
		*system_path; /**< searched after that; NULL: where distributions put emulators */
	bool no_version;      /**< leave `version` empty: asking for it starts the emulator */
};

/**
 * Check one `--emulator` value ("PLATFORM=/absolute/path"). Errors: -EINVAL, fault usage.
 */
int xb_emulator_check_override(const char *text, struct xb_error *err);

/** Whether the user named an emulator for `target`. */
bool xb_emulator_is_overridden(const struct xb_platform *target,
			       const struct xb_emulator_options *options);

/**
 * Find the emulator for `target` on this machine, whose platform is `host`. An override is used or
 * is an error; else qemu-ARCH-static, then qemu-ARCH, is looked for in each directory in turn, and
 * what is not a static program of the host's architecture is passed over, but named in the error
 * if nothing better turns up. `--version` is asked of each path once a process (one lock guards
 * that table), unless the options say that nobody wants to know. Thread-safe.
 *
 * Errors, all fault platform, with a hint: -ENOTSUP for an architecture without an emulator;
 * -ENOENT when none is installed; -ENOEXEC when what is there is no static program of the host.
 */
int xb_emulator_find(const struct xb_platform *target, const struct xb_platform *host,
		     const struct xb_emulator_options *options, struct xb_emulator *ret,
		     struct xb_error *err);

#endif
