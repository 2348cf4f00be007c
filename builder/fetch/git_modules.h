/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The submodules of a commit: what its tree and its .gitmodules say, judged; for the modules of
 * this directory only. Everything here comes from strangers.
 */
#ifndef XB_BUILDER_FETCH_GIT_MODULES_H
#define XB_BUILDER_FETCH_GIT_MODULES_H

#include "base/array.h"
#include "base/error.h"
#include "builder/dockerfile/gitaddress.h"
#include "builder/fetch/git_ref.h"
#include "builder/fetch/git_repo.h"
#include "builder/fetch/git_run.h"

/** One submodule; strings are owned. */
struct xb_git_module {
	char *path; /**< in the tree: relative, no "." or "..", no component .git */
	char *name; /**< as .gitmodules calls it */
	char *url;  /**< as .gitmodules has it */
	char commit[XB_GIT_ID_SIZE];
	bool none; /**< "update = none": it is not wanted */
};
struct xb_git_modules XB_ARRAY(struct xb_git_module);

/** Release. */
void xb_git_modules_clear(struct xb_git_modules *modules);
#define xb_auto_git_modules XB_CLEANUP(xb_git_modules_clear)

/**
 * Read the submodules of `commit`, in the order of the tree. Errors: those of xb_git_run(); fault
 * source: -EBADMSG (one that .gitmodules does not know, a .gitmodules that git cannot read, a path
 * that leads elsewhere), -E2BIG (more than 4096).
 */
int xb_git_modules_read(struct xb_git *git, const struct xb_git_repo *repo, const char *commit,
			struct xb_git_modules *ret, struct xb_error *err);

/**
 * The address of a submodule of the repository `git`; "./" and "../" at its beginning are relative
 * to that one's URL. Errors, fault source: -ENOTSUP (a local path, or a scheme that git sources do
 * not have), -EINVAL.
 */
int xb_git_module_address(const struct xb_git *git, const struct xb_git_module *module,
			  struct xb_git_address *ret, struct xb_error *err);

#endif
