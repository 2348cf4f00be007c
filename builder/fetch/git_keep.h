/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The directory .git of a checkout that keeps it; for the modules of this directory only.
 *
 * It is a repository of one commit: HEAD (detached), the reference that was asked for, the remote
 * "origin" without credentials. It holds nothing that git would execute.
 */
#ifndef XB_BUILDER_FETCH_GIT_KEEP_H
#define XB_BUILDER_FETCH_GIT_KEEP_H

#include "base/error.h"
#include "base/str.h"
#include "builder/fetch/git_ref.h"
#include "builder/fetch/git_repo.h"
#include "builder/fetch/git_run.h"

/** A directory .git to be made. */
struct xb_git_keep {
	const char *top;	     /**< absolute path below which everything is written */
	const char *git_dir;	     /**< absolute path; its parent exists */
	const char *work_tree;	     /**< absolute path */
	const char *worktree_config; /**< core.worktree: relative to git_dir, or NULL: its parent */
};

/** Make it from what `repo` has of `target`, whose commit is known; the index is still empty. */
int xb_git_keep(struct xb_git *git, const struct xb_git_repo *repo,
		const struct xb_git_target *target, const struct xb_git_keep *keep,
		struct xb_error *err);

/** Tell a repository that a submodule called `name` has `url` and is in use. */
int xb_git_keep_module(struct xb_git *git, const struct xb_git_keep *keep, const char *name,
		       const char *url, struct xb_error *err);

/** Append the name of the directory below modules/ for a submodule: one safe component. */
void xb_git_keep_name(const char *name, struct xb_str *ret);

#endif
