/* SPDX-License-Identifier: Apache-2.0 */
/**
 * How a platform's steps run on this machine; decided while planning, before any work.
 */
#ifndef XB_EMULATION_STRATEGY_H
#define XB_EMULATION_STRATEGY_H

#include <stdbool.h>

#include "emulation/emulator.h"
#include "platforms/platform.h"

/** The ways, best first. */
enum xb_strategy {
	XB_STRATEGY_NATIVE,    /**< by the machine itself */
	XB_STRATEGY_COMPAT,    /**< by the kernel's 32-bit support */
	XB_STRATEGY_EMULATED,  /**< by an emulator in a user namespace of its own */
	XB_STRATEGY_IMPOSSIBLE /**< not at all; the reason says why, the hint what to try */
};

/** "native", "compat", "emulated", "impossible"; borrowed. */
const char *xb_strategy_name(enum xb_strategy strategy);

/** What the user said. */
struct xb_strategy_options {
	struct xb_emulator_options emulators;
	bool no_emulation; /**< `--no-emulation`: what would be emulated is impossible */
	bool no_guard;	   /**< `--guard=off`: emulated steps may run the machine's own programs; no
				decision depends on it */
	bool elsewhere;	   /**< nothing runs on this machine: by names alone, as if the one it will
				run on had all that can be had */
};

/** One decision. Texts and emulator are owned. */
struct xb_strategy_decision {
	enum xb_strategy strategy;
	char *reason;		     /**< for people: "host is linux/amd64",
					  "qemu-aarch64-static 7.2.22 from /usr/bin" */
	char *hint;		     /**< what to try when it is impossible; else NULL */
	struct xb_emulator emulator; /**< when it is emulated; else empty */
};

#define XB_STRATEGY_DECISION_INIT ((struct xb_strategy_decision){ 0 })

/** Release what `d` holds and set it to XB_STRATEGY_DECISION_INIT. */
void xb_strategy_decision_clear(struct xb_strategy_decision *d);

#define xb_auto_strategy_decision XB_CLEANUP(xb_strategy_decision_clear)

/**
 * Decide how steps of `target` run on this machine, whose platform is `host` (xb_platform_host()).
 * An `--emulator` override for `target` wins over the kernel's 32-bit support. Never fails: what
 * cannot be done is XB_STRATEGY_IMPOSSIBLE, since a stage may need no step to run. `ret` is
 * released first.
 */
void xb_strategy_decide(const struct xb_platform *target, const struct xb_platform *host,
			const struct xb_strategy_options *options,
			struct xb_strategy_decision *ret);

/** The error of an impossible decision: -ENOTSUP, fault platform, with reason and hint. */
int xb_strategy_error(const struct xb_strategy_decision *d, const struct xb_platform *target,
		      struct xb_error *err);

#endif
