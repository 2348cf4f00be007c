/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The roster of a layer: what its tar holds without the data of its files, so that questions about
 * a tree can be answered that was never unpacked (builder/layer/shape.h).
 *
 * The confined child writes it, one record for each entry in the tar's order. Whoever reads it
 * trusts it no more than the layer: names are cleaned, numbers in range, or it is no roster.
 * The form is in docs/decisions/0031.
 */
#ifndef XB_BUILDER_LAYER_ROSTER_H
#define XB_BUILDER_LAYER_ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "builder/layer/tarread.h"

/** The most bytes of a roster; a layer with more names has none. */
#define XB_MAX_ROSTER ((size_t)32 << 20)
/** Files of a layer whose contents are listed too: those that names of users are looked up in. */
#define XB_ROSTER_KEPT                                                                             \
	{                                                                                          \
		"etc/passwd", "etc/group"                                                          \
	}

/** What an entry is. The values are those of the file. */
enum xb_roster_kind {
	XB_ROSTER_FILE = 'f',
	XB_ROSTER_DIRECTORY = 'd',
	XB_ROSTER_SYMLINK = 'l',
	XB_ROSTER_HARDLINK = 'h',
	XB_ROSTER_NODE = 'n',	  /**< a device or FIFO; devices may be left out when unpacked */
	XB_ROSTER_WHITEOUT = 'w', /**< of the name */
	XB_ROSTER_OPAQUE = 'o',	  /**< the directory of the name; "" for the root */
};

/** One entry; views are borrowed from the roster. */
struct xb_roster_entry {
	enum xb_roster_kind kind;
	bool attributes;  /**< has extended attributes that are kept */
	bool has_content; /**< `content` is all of the file */
	uint32_t mode;	  /**< bits of 07777 */
	uint32_t uid;
	uint32_t gid;
	int64_t mtime; /**< seconds */
	uint32_t mtime_ns;
	struct xb_view name; /**< cleaned, relative to the root; "" only for the root itself */
	struct xb_view link; /**< of a symlink its target as it is; of a hard link a cleaned name */
	struct xb_view content;
};

/** How much of a tar may be listed. */
struct xb_roster_limits {
	uint64_t max_size;  /**< bytes of all files together; more is -EFBIG */
	uint64_t max_count; /**< entries, likewise */
};

/**
 * Go through a layer's tar and tell of each entry: of whiteouts and opaque directories, too, and of
 * all but those that belong to other file systems. `entry` has no content; of what is no whiteout
 * `item` and `tar` are where it came from, and xb_tar_data() gives a file's data; else they are
 * NULL. Returns what the visitor returned if that is negative, or as xb_roster_write().
 */
int xb_roster_scan(struct xb_tar_reader *tar, const struct xb_roster_limits *limits,
		   int (*visit)(void *context, struct xb_roster_entry *entry,
				const struct xb_tar_item *item, struct xb_tar_reader *tar,
				struct xb_error *err),
		   void *context, uint64_t *ret_count, struct xb_error *err);

/** Whether a name is as xb_roster_next() gives them: relative, no ".", "..", "" or NUL in it. */
bool xb_roster_is_clean(struct xb_view name);

/**
 * Write the roster of a layer's tar to the regular file `fd`, from its position on. `ret_count`
 * gets the number of entries.
 * Errors: -EBADMSG for what no honest layer has, as far as that shows without the layers below;
 * -EFBIG when the roster or the layer would be too large; those of writing.
 */
int xb_roster_write(struct xb_tar_reader *tar, const struct xb_roster_limits *limits, int fd,
		    uint64_t *ret_count, struct xb_error *err);

/** Check how a roster begins and take that off `rest`: 0, or -EBADMSG. */
int xb_roster_begin(struct xb_view *rest, struct xb_error *err);
/** The next entry: 1, 0 at the end, -EBADMSG when it is none. */
int xb_roster_next(struct xb_view *rest, struct xb_roster_entry *ret, struct xb_error *err);

#endif
