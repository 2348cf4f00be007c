/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The bare repository that the store keeps of a remote; for the modules of this directory only.
 *
 * It has no configuration but git's own, no history where the server can leave it out, and a
 * reference refs/xbuild/<id> for each object that was fetched whole: only what has one is believed
 * to be there, for a fetch that was killed may leave a commit without its files.
 */
#ifndef XB_BUILDER_FETCH_GIT_REPO_H
#define XB_BUILDER_FETCH_GIT_REPO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "builder/cache/cachedir.h"
#include "builder/cache/store.h"
#include "builder/fetch/git_ref.h"
#include "builder/fetch/git_run.h"

/** One in use; starts as `{ 0 }`. */
struct xb_git_repo {
	struct xb_cachedir *cache; /**< locked */
	char *dir;		   /**< absolute path of the repository */
	bool sha256;		   /**< its object format */
	bool made;		   /**< by this process, now */
};

/** Release; others may then use it. */
void xb_git_repo_clear(struct xb_git_repo *repo);
#define xb_auto_git_repo XB_CLEANUP(xb_git_repo_clear)

/**
 * Take the repository of a remote for objects of one format, making it where it is missing; waits
 * while others use it. Errors: those of xb_git_run(), of the files (fault store), -ECANCELED.
 */
int xb_git_repo_open(struct xb_store *store, struct xb_git *git, bool sha256,
		     struct xb_git_repo *ret, struct xb_error *err);

/**
 * Have the target's object there, with all that its commit needs and no more history than the
 * server insists on. Fetches only what is missing. Fills the target's commit. `*ret_time`: the
 * commit's (committer) time in seconds since 1970. Errors: those of xb_git_run(); -ENOENT, fault
 * source: the server has no such commit.
 */
int xb_git_repo_fetch(struct xb_git *git, struct xb_git_repo *repo, struct xb_git_target *target,
		      int64_t *ret_time, struct xb_error *err);

/** Make the repository anew if it is damaged: 1 when it was, 0 when not, or a negative errno. */
int xb_git_repo_repair(struct xb_git *git, struct xb_git_repo *repo, struct xb_error *err);

#endif
