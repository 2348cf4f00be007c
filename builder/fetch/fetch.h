/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Things from elsewhere: what ADD, a build context or a named context takes from a URL or a git
 * repository, as a tree in the store.
 *
 * http.h, git.h and archive.h fetch; this header has what they share. All of them keep these
 * rules:
 * - What comes back is whole: a snapshot (builder/cache/snapshot.h) that was committed and that a
 *   record names, held by this process's lease. It never changes afterwards.
 * - The records of the store remember what a URL gave and what a commit's checkout is, so what has
 *   not changed is neither sent nor checked out twice; they are collected like any other record.
 * - One URL is fetched by one process and thread at a time; the others wait and find it there.
 * - Trees are laid out by the confined child or by a program in a sandbox, never by following a
 *   name of a foreign tree.
 * - No user name, password, token or secret of a URL or an option stands in an error, a progress
 *   line, a record's key or anything else in the store: xb_url_append_shown() (base/url.h) is what
 * may be shown.
 * - Thread-safe, as the store is.
 *
 * Faults: XB_FAULT_REGISTRY when the other side or the network is to blame, XB_FAULT_SOURCE when
 * what was asked for is (a URL that is none, a checksum that does not hold, a name that does not
 * exist there), XB_FAULT_STORE, XB_FAULT_INTERRUPTED.
 */
#ifndef XB_BUILDER_FETCH_FETCH_H
#define XB_BUILDER_FETCH_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/str.h"
#include "builder/cache/snapshot.h"

/** What was fetched: a tree in the store, and what is known of it. A plain value. */
struct xb_fetched {
	/**
	 * HTTP: its fs holds one regular file, `name`, mode 0600, owner 0:0, modified at `time`
	 * (1970 when that is unknown). GIT: the checkout, or the subdirectory asked for, owner 0:0.
	 * Archive: what was in it.
	 */
	struct xb_snapshot snapshot;
	/**
	 * HTTP: digest of the body; archive: of its bytes as they came; GIT: SHA-256 of a canonical
	 * encoding of what decides the checkout (commit, subdirectory, whether .git is kept,
	 * submodules). Equal content gives an equal tree.
	 */
	struct xb_digest content;
	char revision[65]; /**< GIT: the commit's full id; else "" */
	/**
	 * HTTP: the file's name, one safe component of a path: the last one of the URL's path, else
	 * "__unnamed__". Otherwise "".
	 */
	char name[256];
	/**
	 * Seconds since 1970, -1 when it is not known. GIT: the commit's (committer) time; HTTP:
	 * Last-Modified; archive: the newest time of a regular file in it.
	 */
	int64_t time;
	bool cached; /**< the store had it, and it was found to be still good */
};

/** Whether the directory .git stays in a checkout. */
enum xb_fetch_git_dir {
	XB_FETCH_GIT_DIR_AS_URL, /**< as the URL's query says; without one it does not */
	XB_FETCH_GIT_DIR_DROP,
	XB_FETCH_GIT_DIR_KEEP
};

/**
 * Who is asked, told and obeyed while something is fetched. Callbacks may be NULL; they are called
 * in the thread that fetches. A zeroed structure with cancel_fd = -1 is a plain fetch.
 */
struct xb_fetch_options {
	void *context; /**< given to the callbacks */
	/**
	 * Find a secret of the build: credentials have the ids GIT_AUTH_TOKEN[.HOST],
	 * GIT_AUTH_HEADER[.HOST], HTTP_AUTH_TOKEN_HOST and HTTP_AUTH_HEADER_HOST. Returns whether
	 * there is one; `*ret` is borrowed until the fetch ends.
	 */
	bool (*secret)(void *context, const char *id, struct xb_view *ret);
	/** One line about how far it is, without its end. */
	void (*progress)(void *context, struct xb_view line);
	const char *ssh_agent; /**< GIT: absolute path of the socket of the user's SSH agent (id
				  "default"), or NULL: git over ssh has no keys */
	int cancel_fd;	       /**< readable once the fetch has to end (-ECANCELED), or -1 */
	bool fresh;   /**< --no-cache: do not take the store's word that it is still good */
	bool offline; /**< ask nobody: what the store has will do, else -ENETUNREACH. A repository
			 is only found by the whole id of a commit */
	/**
	 * HTTP: "ALGORITHM:HEX" that the body has to have; GIT: the commit's id, or a beginning of
	 * it of at least one digit, that the name has to lead to (with a URL's own as well, both
	 * have to hold); NULL: none is asked for. Errors: -EBADMSG saying both sides.
	 */
	const char *checksum;
	const char *name; /**< HTTP: what the file is to be called, one component of a path; NULL:
			     see `name` of struct xb_fetched */
	enum xb_fetch_git_dir git_dir; /**< GIT */
	uint64_t max_size; /**< bytes that may be fetched, or unpacked to; 0: the default */
};

/** The error of what the store does not have and may not be asked for: -ENETUNREACH, fault
 * registry. `what` may be shown. */
int xb_fetch_offline(const char *what, struct xb_error *err);

#endif
