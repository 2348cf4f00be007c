/* SPDX-License-Identifier: Apache-2.0 */
/** A remote and a command of git, as the modules of this directory hand them around. */
#ifndef XB_BUILDER_FETCH_GIT_STATE_H
#define XB_BUILDER_FETCH_GIT_STATE_H

#include <stdbool.h>

#include "base/array.h"
#include "base/str.h"
#include "builder/dockerfile/gitaddress.h"
#include "builder/fetch/fetch.h"

/** One remote, and how git is run for it. Starts as `{ 0 }`. */
struct xb_git {
	const struct xb_fetch_options *options; /**< borrowed */
	enum xb_git_scheme scheme;
	unsigned schemes; /**< bits 1 << enum xb_git_scheme: those that git may use */
	char *program;	  /**< absolute path */
	char *url;	  /**< as git gets it: without user and password, but the user of ssh */
	char *remote;	  /**< with user and password: for relative URLs of submodules */
	char *shown;	  /**< as it may be shown */
	char *origin; /**< "scheme://host" whose the secrets without a host are: that of the source,
			 also for its submodules, which whoever wrote .gitmodules has chosen */
	char *known_hosts;	 /**< ssh: file of host keys that may be added to, or NULL */
	struct xb_strv env;	 /**< whole, but for what a command adds */
	struct xb_strv config;	 /**< of commands that use the network: key, value, key, value… */
	struct xb_strv readable; /**< what the child may read */
	struct xb_strv secrets;	 /**< what is not to be shown */
};

/** One command; all is borrowed. */
struct xb_git_command {
	const char *const *args; /**< what follows "git", ends with NULL */
	const char *git_dir;	 /**< absolute path, or NULL: no repository */
	const char *work_tree;	 /**< absolute path, or NULL */
	const char *index;	 /**< absolute path, or NULL: the repository's own */
	const char *writable[2]; /**< directories that it may write below, or NULL */
	struct xb_view input;	 /**< standard input */
	bool network;		 /**< give it the remote "origin", credentials and schemes */
};

#endif
