/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The build context, and trees that COPY and ADD read from: what a source names, what is ignored,
 * and a digest of the content.
 *
 * Paths are relative to a root descriptor, cleaned ("a/b", "." for the root). Symbolic links are
 * resolved with that root as "/", so no path leaves it. What an ignore rule excludes is neither
 * listed nor opened, also not through a link. FIFOs, sockets and devices are never opened.
 * A `struct xb_context` never changes after xb_context_open(); threads may share it.
 * Faults are XB_FAULT_SOURCE.
 */
#ifndef XB_BUILDER_CONTEXT_CONTEXT_H
#define XB_BUILDER_CONTEXT_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/str.h"
#include "builder/context/filter.h"
#include "builder/dockerfile/ignore.h"

/**
 * Open the directory `dir` with its ignore rules: those of `<dockerfile>.dockerignore`, where
 * `dockerfile` (a host path, or NULL) has one beside it, else those of `.dockerignore` in the
 * context, else none. Errors: those of open(), -EINVAL for a rule that is no pattern.
 */
int xb_context_open(const char *dir, const char *dockerfile, struct xb_context **ret,
		    struct xb_error *err);
/**
 * Likewise for the directory that `dirfd` is (taken over, also when this fails), called `shown` in
 * messages: with the rules beside the Dockerfile `host` (a host path, or NULL), or beside `inside`
 * (a path in the context, or NULL).
 */
int xb_context_open_tree(int dirfd, const char *shown, const char *host, const char *inside,
			 struct xb_context **ret, struct xb_error *err);
/** Release; NULL is left alone. */
void xb_context_free(struct xb_context *context);

XB_DEFINE_CLEANUP(xb_context_cleanup, struct xb_context, xb_context_free)
#define xb_auto_context XB_CLEANUP(xb_context_cleanup)

/**
 * From now on what the files hold is remembered in the directory `dirfd` (borrowed; it must outlive
 * the context), so that files that have not changed since xb_context_save() are not read: see
 * builder/context/memory.h. Before the context is shared with other threads.
 */
void xb_context_remember(struct xb_context *context, int dirfd);
/** Keep what was learnt of the files; NULL is left alone. When no other thread uses it. */
int xb_context_save(struct xb_context *context, struct xb_error *err);
/** The ignore rules, borrowed; NULL when there are none. */
const struct xb_ignore *xb_context_ignore(const struct xb_context *context);
/** A descriptor of the context's directory, borrowed. */
int xb_context_dirfd(const struct xb_context *context);
/** Append a regular file of the context to `text`, which bounds it; no ignore rule applies (for
 *  the Dockerfile). Errors: as xb_file_read(). */
int xb_context_read(const struct xb_context *context, const char *path, struct xb_str *text,
		    struct xb_error *err);

/**
 * Which paths a COPY or ADD source names: the path itself, or what matches its wildcards (`*`, `?`,
 * `[a-z]`, `\` before one of them; none matches '/'), in byte order, appended to `ret`. Wildcards
 * may match nothing, as in BuildKit; what stands in front of them is there or missing as a name is.
 * `context` gives the ignore rules that hold below `rootfd`; NULL: none (another stage's root).
 * Errors: -ENOENT naming what is missing, with a hint where an ignore rule is the reason; -EINVAL
 * for a malformed pattern; -ELOOP.
 */
int xb_context_expand(int rootfd, const struct xb_context *context, const char *pattern,
		      struct xb_strv *ret, struct xb_error *err);

/**
 * The path without links that `path` leads to: the one to copy from, since ignore rules are
 * written for it. `follow`: resolve the last component too. Appended to `ret`.
 * Errors: -ENOENT (also when what it leads to is ignored), -ELOOP, -ENOTDIR.
 */
int xb_context_resolve(int rootfd, const struct xb_context *context, const char *path, bool follow,
		       struct xb_str *ret, struct xb_error *err);

struct xb_select;

/** What a checksum is of; zero is the content as COPY from the context takes it. */
struct xb_checksum_options {
	bool owner;	/**< user and group count (sources whose owners are kept) */
	bool no_follow; /**< a link at the end of the path is the object itself */
	bool self; /**< the own mode, owner and attributes of a directory at `path` count too (a
		      mount), not only its contents */
	const struct xb_select
		*select; /**< what of it counts (builder/context/select.h); NULL: all */
	uint64_t *state; /**< NULL, or a number that what is there is mixed into: contents, and
			    inodes, sizes and times, by which also what is changed and changed back
			    is told. For comparing two moments of one build, no digest */
};

/**
 * A digest of the file or tree at `path`: names below it, types, permission bits, link targets,
 * data, hard links among its files, extended attributes that a layer keeps; never times, inode
 * numbers or the name of `path` itself. Equal exactly when what COPY makes of it is equal.
 * Errors: as xb_context_resolve(); -EACCES and others of reading, naming the file.
 */
int xb_context_checksum(int rootfd, const struct xb_context *context, const char *path,
			const struct xb_checksum_options *options, struct xb_digest *ret,
			struct xb_error *err);

#endif
