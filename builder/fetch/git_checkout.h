/* SPDX-License-Identifier: Apache-2.0 */
/** Laying a commit out as a tree of files; for the modules of this directory only. */
#ifndef XB_BUILDER_FETCH_GIT_CHECKOUT_H
#define XB_BUILDER_FETCH_GIT_CHECKOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "builder/cache/snapshot.h"
#include "builder/cache/store.h"
#include "builder/fetch/git_ref.h"
#include "builder/fetch/git_run.h"

/** What is wanted of it. */
struct xb_git_checkout {
	struct xb_store *store;
	const char *known_hosts; /**< as xb_git_open() takes it */
	const char *subdir;	 /**< cleaned (xb_git_subdir()); "" for the whole */
	bool keep_git_dir;	 /**< together with a subdirectory it has no effect */
	bool submodules;
	bool commit_times; /**< files get the commit's time */
};

/**
 * Fetch what is missing of `target` and lay it out in a new snapshot, which is committed and not
 * recorded. Fills the target's commit; `*ret_time`: the commit's time.
 *
 * Errors: those of git_repo.h, git_modules.h and of the files; fault source: -ENOENT and -ENOTDIR
 * (the subdirectory; also where it leads through a link), -ELOOP (submodules 32 levels deep);
 * -EAGAIN: a repository of the store was damaged and has been made anew, call again.
 */
int xb_git_check_out(struct xb_git *git, const struct xb_git_checkout *wanted,
		     struct xb_git_target *target, struct xb_snapshot *ret, int64_t *ret_time,
		     struct xb_error *err);

#endif
