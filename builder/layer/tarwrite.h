/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Headers of a tar, written so that the same entry always gives the same bytes: a ustar header,
 * with a pax header before it only for what ustar cannot say (see builder/layer/pack.h).
 *
 * libarchive's writer is not used: what it makes of a name depends on the process's locale (names
 * that are not ASCII are converted, or marked hdrcharset=BINARY), and layers must not.
 * Source: POSIX.1-2017 pax; the SCHILY.xattr keyword is star's, which all OCI tools read.
 */
#ifndef XB_BUILDER_LAYER_TARWRITE_H
#define XB_BUILDER_LAYER_TARWRITE_H

#include <stdint.h>

#include "base/str.h"
#include "builder/layer/xattrs.h"

/** Tar works in blocks of so many bytes. */
#define XB_TAR_BLOCK 512

/** Entry types, as ustar numbers them. */
enum xb_tar_type {
	XB_TAR_FILE = '0',
	XB_TAR_HARDLINK = '1',
	XB_TAR_SYMLINK = '2',
	XB_TAR_CHARDEV = '3',
	XB_TAR_BLOCKDEV = '4',
	XB_TAR_DIRECTORY = '5',
	XB_TAR_FIFO = '6',
};

/** One entry; all is borrowed. */
struct xb_tar_entry {
	const char *name; /**< a directory's ends with '/' */
	const char *link; /**< target of a link, else "" or NULL */
	enum xb_tar_type type;
	uint32_t mode; /**< only the bits of 07777 are written */
	uint32_t uid;
	uint32_t gid;
	uint64_t size; /**< bytes of data that follow; 0 but for XB_TAR_FILE */
	int64_t mtime; /**< seconds; negative is written as 0 */
	uint32_t device_major;
	uint32_t device_minor;
	const struct xb_xattrs *xattrs; /**< sorted by name, or NULL */
};

/** Append the headers of an entry to `out`; the data and its padding to whole blocks follow it. */
void xb_tar_header(struct xb_str *out, const struct xb_tar_entry *entry);

/** Bytes of padding behind `size` bytes of data. */
static inline uint64_t xb_tar_padding(uint64_t size)
{
	return (XB_TAR_BLOCK - size % XB_TAR_BLOCK) % XB_TAR_BLOCK;
}

#endif
