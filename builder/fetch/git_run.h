/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Running the git program, for the modules of this directory only: its environment, its walls, its
 * credentials, and what it says when it fails. git.h has the rules.
 *
 * A `struct xb_git` belongs to one thread.
 */
#ifndef XB_BUILDER_FETCH_GIT_RUN_H
#define XB_BUILDER_FETCH_GIT_RUN_H

#include "base/error.h"
#include "base/str.h"
#include "builder/fetch/git_child.h"
#include "builder/fetch/git_state.h"

/** Release it. */
void xb_git_clear(struct xb_git *git);
#define xb_auto_git XB_CLEANUP(xb_git_clear)

/**
 * Get ready for the remote at `address`, which may use `schemes`. `known_hosts` is borrowed for the
 * call. Errors, fault source: -ENOTSUP (no git program, or one older than 2.31; a scheme that is
 * not allowed), -EINVAL (a password for ssh or git:, a credential with control bytes), -EACCES (ssh
 * without an agent).
 */
int xb_git_open(struct xb_git *git, const struct xb_git_address *address, unsigned schemes,
		const char *known_hosts, const struct xb_fetch_options *options,
		struct xb_error *err);

/** What a remote may use besides its own scheme: https always, http and git: if it is no better
 *  itself, ssh if there is an agent. */
unsigned xb_git_schemes(enum xb_git_scheme scheme, const struct xb_fetch_options *options);

/**
 * Run a command to its end; what it writes is appended to `output` (NULL: dropped). Errors:
 * -ECANCELED, -EFBIG (more output than `output` may hold), and when it fails one that its last
 * words are mapped to, with them as the excerpt: -EIO when they say nothing known.
 */
int xb_git_run(struct xb_git *git, const struct xb_git_command *command, struct xb_str *output,
	       struct xb_error *err);
/** Run a command that answers by its status: 1 for 0, 0 for others, or a negative errno. */
int xb_git_ask(struct xb_git *git, const struct xb_git_command *command, struct xb_error *err);

/** Tell the options' progress callback a line. */
void xb_git_tell(const struct xb_git *git, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** -ECANCELED, fault interrupted, once the fetch has to end; else 0. Waits up to `ms` for that. */
int xb_git_wait(const struct xb_fetch_options *options, int ms, struct xb_error *err);

#endif
