/* SPDX-License-Identifier: Apache-2.0 */
/** Where a reference of a remote leads to; for the modules of this directory only. */
#ifndef XB_BUILDER_FETCH_GIT_REF_H
#define XB_BUILDER_FETCH_GIT_REF_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/dockerfile/giturl.h"
#include "builder/fetch/git_run.h"

/** Bytes of an object id with its NUL; one of SHA-1 has 40 digits, one of SHA-256 64. */
#define XB_GIT_ID_SIZE 65

/** What is to be checked out. */
struct xb_git_target {
	char *ref; /**< whole name ("refs/heads/main", "HEAD"), or NULL: asked for by its id */
	char object[XB_GIT_ID_SIZE]; /**< what it leads to: a commit or an annotated tag */
	char commit[XB_GIT_ID_SIZE]; /**< the commit; "" when it is not known whether `object` is */
};

/** Release it; it is then empty. */
void xb_git_target_clear(struct xb_git_target *target);
#define xb_auto_git_target XB_CLEANUP(xb_git_target_clear)

/**
 * Find out what `url` leads to. The remote is asked (ls-remote) unless the reference is a whole
 * commit id or the URL says fetch-by-commit. `checks` are ids, or beginnings of them, that the
 * object or the commit has to have; those of a reference given by id are left to the caller when
 * they do not fit that id, which may be a tag's.
 *
 * Errors, fault source: -ENOENT (no such reference), -EBADMSG (another commit), -EINVAL (a name
 * that no reference has, a check that is no id; fetch-by-commit without a whole one); and those of
 * xb_git_run().
 */
int xb_git_resolve(struct xb_git *git, const struct xb_git_url *url, const struct xb_strv *checks,
		   struct xb_git_target *ret, struct xb_error *err);

/** Hold object and commit of a target, both known, against the checks. -EBADMSG, fault source. */
int xb_git_check(const struct xb_git_target *target, const struct xb_strv *checks,
		 struct xb_error *err);

/** Whether a reference may have this name: git-check-ref-format(1), one component allowed. */
bool xb_git_is_ref(struct xb_view name);

#endif
