/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Symbolic file modes, as chmod has them: "u+x", "go=rX", "a-w,u=rws", "g=u-w", "+t".
 *
 * A change is plain data and is applied to any number of modes; no umask takes part.
 * Source: POSIX.1 chmod, with the BSD reading where POSIX leaves a choice: "=" clears the set-id
 * bits of the classes it names, of directories too.
 */
#ifndef XB_BASE_MODE_H
#define XB_BASE_MODE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/** Actions that one change may have at most; more than any that is not a mistake. */
#define XB_MODE_ACTIONS_MAX 64

/** One action. */
struct xb_mode_action {
	char op;	/**< '+', '-' or '=' */
	char copied;	/**< 'u', 'g' or 'o': the bits are those of that class; 0: `bits` */
	bool if_search; /**< only for directories, and what some class may execute already */
	mode_t who;	/**< the bits that may change */
	mode_t bits;	/**< the bits that the letters stand for */
};

/** A change: actions, one after the other. */
struct xb_mode_change {
	struct xb_mode_action actions[XB_MODE_ACTIONS_MAX];
	size_t count;
};

/** Read a symbolic mode. Errors: -EINVAL, fault source. */
int xb_mode_parse(const char *text, struct xb_mode_change *ret, struct xb_error *err);

/** `mode` (its bits 07777) after the change. */
mode_t xb_mode_apply(const struct xb_mode_change *change, mode_t mode, bool is_dir);

#endif
