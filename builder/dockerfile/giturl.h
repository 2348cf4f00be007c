/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The sources that are git repositories: what ADD, a build context and a named context may say for
 * one, as BuildKit reads it.
 *
 *	https://host/repo.git#ref:subdir        http and https: only a path that ends with .git
 *	git://host/repo, ssh://user@host/repo   any path
 *	user@host:repo                          the short form of ssh
 *	github.com/owner/repo                   for contexts alone: ADD takes it for a local path
 *	...?tag=v1&subdir=docs&keep-git-dir     and the same as a query
 *
 * The query's names: ref, tag, branch, subdir, checksum (or commit), keep-git-dir, submodules,
 * fetch-by-commit, mtime. One that says other than the fragment does is an error.
 * Source: BuildKit, frontend/dockerfile/dfgitutil/git_ref.go.
 */
#ifndef XB_BUILDER_DOCKERFILE_GITURL_H
#define XB_BUILDER_DOCKERFILE_GITURL_H

#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"
#include "builder/dockerfile/gitaddress.h"

/** What a query says about something that is on or off. */
enum xb_git_switch { XB_GIT_UNSAID, XB_GIT_OFF, XB_GIT_ON };

/** Which times the files of a checkout get. */
enum xb_git_mtime {
	XB_GIT_MTIME_UNSAID,
	XB_GIT_MTIME_CHECKOUT, /**< those of writing them */
	XB_GIT_MTIME_COMMIT    /**< the commit's */
};

/** A git source; all strings are owned, and NULL when nothing was said. */
struct xb_git_url {
	/** The parts; of the form github.com/… those of https://github.com/…. Its remote may hold
	 *  a password: show it through xb_fetch_shown_url() (builder/fetch) alone. */
	struct xb_git_address address;
	/** As it was written, without query and fragment: differs from the address's remote in
	 *  the form github.com/… alone. */
	char *remote;
	char *name;	  /**< the repository's: last component of the remote without .git */
	char *ref;	  /**< branch, tag, "refs/…" or commit id; never begins with a dash */
	char *subdir;	  /**< directory of the repository, as it was said; may hold ".." */
	char *commit;	  /**< id, or its beginning, that the reference has to lead to: as said */
	bool local_like;  /**< the form github.com/…: could be a local path */
	bool unencrypted; /**< http or git */
	bool fetch_by_commit; /**< take `commit` without asking where the reference leads */
	enum xb_git_switch keep_git_dir;
	enum xb_git_switch submodules; /**< unsaid: on */
	enum xb_git_mtime mtime;
};

/** Release it; it is then empty. */
void xb_git_url_clear(struct xb_git_url *url);
#define xb_auto_git_url XB_CLEANUP(xb_git_url_clear)

/**
 * Read a source. Returns 1 when it is a git repository, 0 when it is not (`*ret` is left alone),
 * -EINVAL, fault source, when it is one and what it says cannot be: unknown, repeated or empty
 * names, values that conflict, a malformed URL. Messages hold neither user nor password.
 */
int xb_git_url_parse(const char *text, struct xb_git_url *ret, struct xb_error *err);

/**
 * Append the source in the form `remote#ref:subdir` (the subdirectory only when asked for), which
 * says the same whatever form was used; a text that is no git source is appended as it is.
 * Returns whether it is one.
 */
bool xb_git_url_fragment(const char *text, bool with_subdir, struct xb_str *ret);

/** Whether a text is a whole commit id: 40 (SHA-1) or 64 (SHA-256) small hexadecimal digits. */
bool xb_git_is_commit(struct xb_view text);

/** Append a subdirectory cleaned: no leading '/', no "." and "..", which stop at the root. */
void xb_git_subdir(const char *subdir, struct xb_str *ret);

#endif
