/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Reading a tar: entries of a stream of bytes that nobody vouches for.
 *
 * Understood: ustar, pax, GNU (long names, base-256 numbers, its old sparse form) and pre-POSIX
 * headers, pax sparse files 0.0, 0.1 and 1.0; pax global headers are skipped, as Docker does.
 * Where two readers could disagree the stream is refused (-EBADMSG): a wrong checksum, a broken
 * or negative number, a pax record whose length is wrong, a NUL in a name, an unknown type, a
 * sparse map that is not ascending or does not fit its data. Extended headers and sparse maps
 * are at most 1 MiB each. A size in a pax header counts, the ustar one then does not.
 *
 * libarchive's reader is not used: it converts names of pax headers through the process's locale
 * (under UTF-8 it renames what is not in Unicode's composed form, under C it warns), so that a
 * layer would not come back as it was packed; and it goes on behind a bad checksum.
 *
 * Sources: POSIX.1-2017 pax; GNU tar manual, "Tar Internals"; the cases where they leave a choice
 * are decided as Go's archive/tar does, which Docker and containerd read with.
 */
#ifndef XB_BUILDER_LAYER_TARREAD_H
#define XB_BUILDER_LAYER_TARREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "builder/layer/tarwrite.h"
#include "builder/layer/xattrs.h"

/** The most bytes of one extended header or sparse map: 1 MiB, as Go has it. */
#define XB_MAX_TAR_SPECIAL ((size_t)1 << 20)

/** Where the bytes come from. */
struct xb_tar_input {
	/**
	 * Give the next run of bytes (borrowed until the next call): 1, or 0 at the end, or a
	 * negative errno.
	 */
	int (*next)(void *context, const void **ret_data, size_t *ret_len, struct xb_error *err);
	/** Leave out the next `bytes` bytes, or a negative errno where there are fewer. NULL: they
	 * are read. */
	int (*skip)(void *context, uint64_t bytes, struct xb_error *err);
	void *context;
};

/** One entry; all is borrowed until the next xb_tar_next(). */
struct xb_tar_item {
	const char *name; /**< as written, no NUL in it; not cleaned */
	const char *link; /**< target of a link, else "" */
	enum xb_tar_type type;
	uint32_t mode; /**< bits of 07777 */
	uint32_t uid;
	uint32_t gid;
	uint64_t size;	  /**< of the file, holes included; 0 for other types */
	uint64_t data_at; /**< where in the stream a file's data begins, unless it is sparse */
	bool sparse;	  /**< a file whose data lies in pieces; only xb_tar_data() finds them */
	int64_t mtime;	  /**< seconds */
	uint32_t mtime_ns;
	uint32_t device_major;
	uint32_t device_minor;
	struct xb_xattrs xattrs; /**< all that the entry has, whatever their names */
};

struct xb_tar_reader;

/** Start reading; `input` is copied. */
struct xb_tar_reader *xb_tar_reader_new(const struct xb_tar_input *input);
/** Release; NULL is left alone. */
void xb_tar_reader_free(struct xb_tar_reader *reader);

XB_DEFINE_CLEANUP(xb_tar_reader_cleanup, struct xb_tar_reader, xb_tar_reader_free)
#define xb_auto_tar_reader XB_CLEANUP(xb_tar_reader_cleanup)

/**
 * The next entry, skipping what is left of the last one's data: 1; 0 behind the last one (two
 * blocks of zeros or the end of the stream; nothing behind them is looked at); -EBADMSG, or what
 * the input returned.
 */
int xb_tar_next(struct xb_tar_reader *reader, struct xb_tar_item *ret, struct xb_error *err);

/**
 * The next run of the last entry's data, `*ret_len` bytes that belong at `*ret_offset` (what lies
 * between runs is a hole): 1, or 0 at the end of the data, or a negative errno.
 */
int xb_tar_data(struct xb_tar_reader *reader, const void **ret_data, size_t *ret_len,
		uint64_t *ret_offset, struct xb_error *err);

#endif
