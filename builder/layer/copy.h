/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Copying files and trees between roots: COPY and ADD.
 *
 * Source and destination are paths inside a root directory each; no link leads out of either.
 * Nothing is opened that would block (FIFOs are made anew). Modes, whole times, extended attributes
 * (the list of builder/layer/pack.h), holes and hard links within one copy are kept; data is shared
 * (reflink) where the file system can.
 *
 * Source: the rules are those of BuildKit's COPY (tonistiigi/fsutil, copy).
 */
#ifndef XB_BUILDER_LAYER_COPY_H
#define XB_BUILDER_LAYER_COPY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/mode.h"
#include "base/str.h"

/** What a filter says of a path. */
enum xb_copy_verdict {
	XB_COPY_TAKE,	 /**< copy it, and look into it */
	XB_COPY_SKIP,	 /**< neither it nor anything below */
	XB_COPY_DESCEND, /**< a directory that is copied only if something below it is */
	XB_COPY_AROUND,	 /**< likewise, and one that is there already takes its mode alone */
};

/** How to copy; start from XB_COPY_OPTIONS_INIT. All is borrowed. */
struct xb_copy_options {
	int64_t uid; /**< owner of copied files and created parents; -1: copies keep theirs,
			parents are 0 */
	int64_t gid; /**< likewise */
	int mode;    /**< permission bits (07777) of all copied files and directories; -1: keep */
	const struct xb_mode_change *change; /**< of the modes that copies have; NULL: `mode` */
	bool no_owner; /**< copies belong to whoever makes them: for directories of the user's own
			*/
	int64_t epoch; /**< time of created parent directories, in seconds; -1: now */
	/**
	 * Asked for everything copied. `path` is relative to the source root, links of the way to
	 * the source resolved; `below` is the part of it below the copied source, "" for the
	 * source itself. NULL: take all.
	 */
	enum xb_copy_verdict (*filter)(void *context, const char *path, const char *below,
				       bool is_dir);
	void *context; /**< first argument of `filter` */
};

#define XB_COPY_OPTIONS_INIT                                                                       \
	((struct xb_copy_options){ .uid = -1, .gid = -1, .mode = -1, .epoch = -1 })

/**
 * Copy `src` of `src_root` to `dst` of `dst_root`.
 *
 * - Links in `src`, its last component included, are followed inside `src_root`; links met below a
 *   copied directory are copied as links.
 * - A directory gives its *contents* to the directory `dst`, made when missing (0755). An existing
 *   directory at `dst` itself keeps its owner and mode, those below it take the source's.
 * - Anything else lands at `dst`, or inside it under the source's name when `dst` ends with '/' or
 *   is a directory.
 * - Missing parents of `dst` are made, with the mode of the options (0755 when kept) and their
 *   owner (0 when kept).
 * - A file, link or node replaces whatever is there except a directory (-EISDIR); a directory does
 *   not replace anything else (-ENOTDIR).
 * - An empty file takes the place of a socket.
 *
 * Errors: -ENOENT (fault source) when the source is missing; those of reading and writing.
 */
int xb_copy_path(int src_root, const char *src, int dst_root, const char *dst,
		 const struct xb_copy_options *options, struct xb_error *err);

/** Make the owner and mode of something copied those that its copy has. */
void xb_copy_status(const struct xb_copy_options *options, struct stat *st);
/**
 * Make the directory `path` of `root` and its missing parents as xb_copy_path() does for a
 * directory that is copied there. Returns an O_PATH descriptor of it. Errors: as
 * xb_mkdir_in_root().
 */
int xb_copy_destination(int root, const char *path, const struct xb_copy_options *options,
			struct xb_error *err);

/**
 * Copy `name` of the directory `from_dir`, which is what `st` says and no directory, to `to_dir`
 * under the same name, where nothing is or a file that it replaces: all that is kept, kept.
 * Errors: as xb_copy_path().
 */
int xb_copy_leaf(int from_dir, const char *name, const struct stat *st, int to_dir,
		 struct xb_error *err);

/**
 * Write a file of mode 0644, owner 0:0 and the bytes `content` to `dst`, as if it were copied from
 * a file called `name` (one component): mode, owner and time as the options say, no filter.
 * Errors: as xb_copy_path().
 */
int xb_copy_content(const char *name, struct xb_view content, int dst_root, const char *dst,
		    const struct xb_copy_options *options, struct xb_error *err);

#endif
