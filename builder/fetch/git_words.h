/* SPDX-License-Identifier: Apache-2.0 */
/** What git says when it fails, as an error; for the modules of this directory only. */
#ifndef XB_BUILDER_FETCH_GIT_WORDS_H
#define XB_BUILDER_FETCH_GIT_WORDS_H

#include <errno.h>

#include "base/proc.h"
#include "builder/fetch/git_state.h"

/** The server cannot fetch a part of the history. */
#define XB_GIT_NO_DEPTH (-EPROTONOSUPPORT)
/** The server does not give out an object by its id, or does not have it. */
#define XB_GIT_NO_ID (-ENODATA)

/**
 * Make an error of a command that failed with `status` after it had said `messages`: code, fault
 * class and hint by what stands in them, the line that begins with "fatal:" or "error:" as the
 * sentence, the last lines as the excerpt. Secrets of `git` are not in it. Returns its code.
 */
int xb_git_words(const struct xb_git *git, const struct xb_git_command *command,
		 const struct xb_proc_status *status, struct xb_view messages,
		 struct xb_error *err);

#endif
