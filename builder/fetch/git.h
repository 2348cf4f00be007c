/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Checkouts of git repositories, by the git program of this machine (2.31 or later, on PATH).
 *
 * What a build gives it (URLs, references) and what a server or a repository says are both
 * hostile. So git runs
 * - without any configuration, hook, helper, pager, editor, prompt or filter of its own: what it is
 *   told comes with its environment, credentials too, so that no command line shows them;
 * - with the schemes allowed that the source itself names (and https), never file or ext;
 * - never as git-submodule(1), which is a shell script that does what .gitmodules says: submodules
 *   are found, judged and fetched here, as repositories of their own;
 * - as a child without capabilities, which Landlock lets write below its own directories in the
 *   store alone, and read the system's and not the users' (run.h).
 * What a repository needs LFS for stays a pointer file, as it does with BuildKit.
 *
 * Each remote has a bare repository in the store (cachedir.h: counted by `cache du`, removed by
 * `cache prune -a`), used by one fetch at a time, which keeps the objects of what was fetched and
 * makes the next fetch small. A checkout is a snapshot with a record of its own: the same commit
 * asked for again is neither fetched nor checked out, and a source that names a whole commit id
 * does not even reach for the network.
 */
#ifndef XB_BUILDER_FETCH_GIT_H
#define XB_BUILDER_FETCH_GIT_H

#include "base/error.h"
#include "builder/cache/store.h"
#include "builder/dockerfile/giturl.h"
#include "builder/fetch/fetch.h"

/**
 * Fetch what `url` names. The reference is a branch, a tag, any "refs/…" or a whole commit id;
 * without one the branch that the server calls HEAD. A name that is both is the branch; an
 * annotated tag is the commit that it is about.
 *
 * Files of the tree have mode 0644 or 0755, directories 0755, links what they say, all owner 0:0;
 * times are those of the checkout, or the commit's when the URL says mtime=commit. Submodules are
 * there unless the URL says submodules=0. With .git kept, HEAD is the commit, detached, and the
 * remote origin has no credentials; it is not kept with a subdirectory.
 *
 * Errors beside those of fetch.h: -ENOENT, fault source (no such reference or subdirectory),
 * -EBADMSG, fault source (another commit than was asked for), -ENOTSUP, fault source (no git
 * program; a submodule of a scheme that is not allowed), -EIO, fault registry (what git says, its
 * last lines as the excerpt), -ECANCELED.
 */
int xb_fetch_git(struct xb_store *store, const struct xb_git_url *url,
		 const struct xb_fetch_options *options, struct xb_fetched *ret,
		 struct xb_error *err);

#endif
