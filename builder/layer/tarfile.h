/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Archives of documents and blobs: the tar form of OCI layouts and Docker archives.
 */
#ifndef XB_BUILDER_LAYER_TARFILE_H
#define XB_BUILDER_LAYER_TARFILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** One member; all is borrowed. Directories (`name` ends with '/') have no data. */
struct xb_tarfile_member {
	const char *name; /**< relative path */
	const void *data; /**< the contents, or NULL: they come from `fd` */
	int fd;		  /**< a regular file, read from position 0 */
	uint64_t size;	  /**< bytes of the contents, exactly */
	uint64_t link_to; /**< 0, or 1 + the index of an earlier member: this one is a hard link */
};

/**
 * Write the members in their order to `out_fd`, which may be a pipe: files 0644, directories 0755,
 * owner 0:0, the time `mtime` (seconds) for all; then the end of the archive. The same members give
 * the same bytes. Errors: of reading and writing; -EIO when a file is shorter than its size;
 * -ECANCELED (fault interrupted) when `cancelled` (may be NULL) was set before a member.
 */
int xb_tarfile_write(const struct xb_tarfile_member *members, size_t count, int64_t mtime,
		     int out_fd, const atomic_bool *cancelled, struct xb_error *err);

/**
 * Unpack such an archive, plain or compressed by gzip or zstd, from position 0 of `fd` below
 * `dest_fd`, in the confined child of builder/layer/unpack.h. Regular files, directories and hard
 * links between them alone; everything else is refused (-EBADMSG, fault source). Files are 0600,
 * directories 0700, owned by this user.
 */
int xb_tarfile_extract(int fd, int dest_fd, struct xb_error *err);

#endif
