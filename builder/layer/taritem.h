/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the headers of one tar entry say, put together: pax records, GNU long names, the ustar
 * block, sparse maps. Pure functions over bytes; builder/layer/tarread.h does the reading.
 */
#ifndef XB_BUILDER_LAYER_TARITEM_H
#define XB_BUILDER_LAYER_TARITEM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/error.h"
#include "base/str.h"
#include "builder/layer/xattrs.h"

/** A run of data of a sparse file. */
struct xb_tar_run {
	uint64_t offset;
	uint64_t len;
};

/** Runs in ascending order; starts as `{ 0 }`. */
struct xb_tar_runs XB_ARRAY(struct xb_tar_run);

/** A field that may have been said, and where it may have been said by something stronger. */
struct xb_tar_number {
	bool set;
	int64_t value;
};

/** What came before a ustar block and belongs to it; starts as XB_TAR_EXTRA_INIT. */
struct xb_tar_extra {
	struct xb_str path; /**< pax path, empty: not said */
	struct xb_str link; /**< pax linkpath */
	struct xb_str gnu_path;
	struct xb_str gnu_link;
	struct xb_tar_number size;
	struct xb_tar_number uid;
	struct xb_tar_number gid;
	struct xb_tar_number mtime;
	uint32_t mtime_ns;
	struct xb_xattrs xattrs;
	struct xb_tar_runs runs; /**< pax sparse 0.0 and 0.1 */
	struct xb_str sparse_name;
	struct xb_tar_number sparse_size;
	struct xb_tar_number sparse_major;
	struct xb_tar_number sparse_minor;
	struct xb_tar_number sparse_offset; /**< 0.0: waits for its length */
};

/** Empty `x`, releasing what it holds. */
void xb_tar_extra_clear(struct xb_tar_extra *x);
/** Make `x` empty without releasing anything. */
void xb_tar_extra_init(struct xb_tar_extra *x);

/** Take in a pax extended header's records. -EBADMSG. */
int xb_tar_extra_records(struct xb_tar_extra *x, struct xb_view records, struct xb_error *err);

/** Whether a 512-byte block has the checksum that it says (signed sums count too, as old tars). */
bool xb_tar_block_valid(const void *block);

/**
 * A header's number: octal, or base-256 when its first bit is set. -EBADMSG when it is neither or
 * does not fit.
 */
int xb_tar_field(const char *field, size_t size, const char *what, int64_t *ret,
		 struct xb_error *err);

/** Whether the runs are ascending, within `size` and of `stored` bytes together; else -EBADMSG. */
int xb_tar_runs_check(const struct xb_tar_runs *runs, uint64_t size, uint64_t stored,
		      struct xb_error *err);

/**
 * Read a sparse map 1.0 from the start of a file's data, of which `text` holds `lines` whole
 * lines. Returns the bytes that it takes (without its padding), 0 when it has more lines than
 * that, or -EBADMSG.
 */
ssize_t xb_tar_sparse_map(struct xb_view text, size_t lines, struct xb_tar_runs *runs,
			  struct xb_error *err);

#endif
