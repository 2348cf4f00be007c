/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Credentials of git remotes, for the modules of this directory only.
 *
 * For http and https they become a header that git is told by its environment: the secret
 * GIT_AUTH_HEADER.HOST, GIT_AUTH_TOKEN.HOST, GIT_AUTH_HEADER or GIT_AUTH_TOKEN, the first that
 * there is, else user and password of the URL. What names no host is for the source's own scheme
 * and host: submodules elsewhere never get it. The header goes to URLs below the remote's (for
 * github.com to all of it, whose submodules a token mostly is for too), and redirects are then not
 * followed, because git would send it on.
 * Source: BuildKit, source/git/source.go, for the names and the order.
 */
#ifndef XB_BUILDER_FETCH_GIT_AUTH_H
#define XB_BUILDER_FETCH_GIT_AUTH_H

#include "base/error.h"
#include "builder/dockerfile/gitaddress.h"
#include "builder/fetch/git_state.h"

/**
 * Set the remote of `git` (url, shown; origin where there is none yet) from `address`, and add
 * credentials to its config and secrets. Errors, fault source: -EINVAL (a password for ssh or git:,
 * a secret with control bytes).
 */
int xb_git_auth(struct xb_git *git, const struct xb_git_address *address, struct xb_error *err);

/** Append `text` with every secret of `git` replaced by "xxxxx" and unprintable bytes quoted. */
void xb_git_show(const struct xb_git *git, struct xb_view text, struct xb_str *ret);

#endif
