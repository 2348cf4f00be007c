/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Files and directories, by descriptor.
 *
 * Nothing here opens a path by string below a root that others control: xb_open_in_root() and its
 * relatives resolve with openat2() so that neither "..", nor an absolute link, nor a magic link
 * leaves the root. All descriptors are opened close-on-exec. Interrupted calls are repeated.
 */
#ifndef XB_BASE_FILE_H
#define XB_BASE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"

/** Write all of `len` bytes. Errors: those of write(). */
int xb_write_all(int fd, const void *data, size_t len, struct xb_error *err);
/** Read until `len` bytes or the end; returns the bytes read or a negative errno. */
ssize_t xb_read_full(int fd, void *data, size_t len, struct xb_error *err);

/**
 * Append the whole of a regular file to `text`, which bounds its size.
 * Errors: those of open() and read(); -EFBIG above the bound; -EINVAL when it is not a regular file
 * (a FIFO never blocks it).
 */
int xb_file_read(const char *path, struct xb_str *text, struct xb_error *err);
/** As xb_file_read(), relative to `dirfd`; a symbolic link at the last component is refused
 * (-ELOOP). */
int xb_file_read_at(int dirfd, const char *path, struct xb_str *text, struct xb_error *err);
/** As xb_file_read(), from the current position of an open descriptor of any kind. */
int xb_file_read_fd(int fd, struct xb_str *text, struct xb_error *err);

/**
 * Close a file that was written; `*fd` becomes -1 whatever happens. Some file systems (NFS, FUSE)
 * tell only then that bytes did not get to the disk: whoever gives the file a meaning looks first.
 * Errors: those of close().
 */
int xb_file_close(int *fd, struct xb_error *err);
/** Have told what xb_file_close() would tell, of a file that stays open. */
int xb_file_flush(int fd, struct xb_error *err);

/** What the names of xb_file_replace_at()'s half-written files begin with; a killed process leaves
 *  them behind. */
#define XB_FILE_TEMP_PREFIX ".xb-tmp-"

/**
 * Replace `dirfd`/`name` whole or not at all: write beside it, sync file and directory when `sync`,
 * rename. Its mode is 0600, whatever the umask.
 */
int xb_file_replace_at(int dirfd, const char *name, const void *data, size_t len, bool sync,
		       struct xb_error *err);
/** Likewise with what `write(context, fd, …)` writes to the empty file `fd`; if that fails nothing
 *  is replaced, and this returns what it returned. */
int xb_file_write_at(int dirfd, const char *name,
		     int (*write)(void *context, int fd, struct xb_error *err), void *context,
		     bool sync, struct xb_error *err);

/**
 * Open `path` with `rootfd` as its root directory: absolute paths and links start there, ".." stops
 * there, magic links (/proc/PID/fd and kin) are refused. `flags` as for open() (O_CLOEXEC is
 * added), `mode` for O_CREAT. Returns the descriptor or a negative errno.
 */
int xb_open_in_root(int rootfd, const char *path, int flags, mode_t mode, struct xb_error *err);
/** As xb_open_in_root(), but anything that would leave `dirfd` is an error (-EXDEV). */
int xb_open_beneath(int dirfd, const char *path, int flags, mode_t mode, struct xb_error *err);

/**
 * Create the directory `path` and its missing parents below `rootfd`, resolved as by
 * xb_open_in_root(), new ones with exactly `mode` and owner `uid`:`gid` ((uid_t)-1 and (gid_t)-1:
 * ours); a dangling link on the way is followed and its target made. Returns an O_PATH descriptor
 * of it. Errors: -ENOTDIR when something else is in the way, -ELOOP after 40 links.
 */
int xb_mkdir_in_root(int rootfd, const char *path, mode_t mode, uid_t uid, gid_t gid,
		     struct xb_error *err);
/**
 * mkdir -p for paths of our own (the store, an output directory); new ones get `mode` less the
 * umask. -ENOTDIR when something else is in the way.
 */
int xb_mkdir_all(const char *path, mode_t mode, struct xb_error *err);

/**
 * Remove `dirfd`/`name` with all below it, never following a link or crossing into another mount
 * (-EXDEV); depth is bounded by neither the stack nor open descriptors (four at most).
 * Directories that their owner may not enter are made accessible first. Missing is not an error.
 * Stops at the first thing that cannot be removed.
 */
int xb_remove_tree_at(int dirfd, const char *name, struct xb_error *err);
/**
 * Likewise, asking `stop` (with `context`) before each entry: once it is true the rest stays, and
 * this is -ECANCELED.
 */
int xb_remove_tree_until(int dirfd, const char *name, bool (*stop)(void *context), void *context,
			 struct xb_error *err);

/** As the size given to xb_copy_data(): all that there is. */
#define XB_COPY_TO_END UINT64_MAX

/**
 * Copy `size` bytes, or up to the end (XB_COPY_TO_END), from the position of `from` to the position
 * of `to`. Reflinks and in-kernel copies are used where they exist; holes of a regular file stay
 * holes when `to` is a regular file that ends at its position.
 * Errors: those of read() and write(); -EIO when `from` ends before `size` bytes.
 */
int xb_copy_data(int from, int to, uint64_t size, struct xb_error *err);

/** A file without a name in the file system of the directory `dirfd`, to write and to read; it is
 *  gone once it is closed. Returns it or a negative errno. */
int xb_file_unnamed(int dirfd, struct xb_error *err);
/** An unnamed file in memory, close-on-exec, that can be sealed. Returns it or a negative errno. */
int xb_memfd_new(const char *name, struct xb_error *err);
/** Seal a memfd against every further change and rewind it. */
int xb_memfd_seal(int fd, struct xb_error *err);

#endif
