/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The owners of files where the file system cannot hold them.
 *
 * A user namespace that has one id only (a plain user without subordinate ids, `unshare -r`) knows
 * one owner: all files on disk are the user's, and who they belong to in the image is recorded at
 * the file itself. There, xb_owner_set() and xb_owner_stat() stand for fchownat() and fstatat(),
 * wherever a file is of a tree of the store; elsewhere they are just these.
 *
 * The record is kept by the inode: renames, hard links and an overlay's copies keep it.
 *
 *	files, directories	the attribute `user.xbuild.owner`, "UID:GID" in decimal digits
 *	links, FIFOs, sockets	`security.capability`, since they can have no attributes of users;
 *				the kernel never looks at it there. Version 2, whose two sets of 64
 *				bits are, as little-endian words: "xbow", UID, GID, and "xbow"
 *inverted
 *
 * An id of 4294967295 is one that is not known yet (xb_owners_settle()). See docs/decisions/0043.
 */
#ifndef XB_BASE_OWNER_H
#define XB_BASE_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/str.h"

/** What attributes of xbuild's own begin with: never taken from a layer, never in one. */
#define XB_OWNER_PREFIX "user.xbuild."

/** The id that is not known yet. */
#define XB_OWNER_UNKNOWN ((uint32_t)-1)

/**
 * Whether owners are recorded in this process: its user namespace maps fewer ids than 0 to 65534.
 * Looked up once, at the first call; xb_owner_detect() looks again.
 */
bool xb_owner_recorded(void);

/**
 * Look at the process's ids again. For whoever enters a user namespace, and before a process puts
 * up walls behind which /proc cannot be read. To be called while there is one thread.
 */
void xb_owner_detect(void);

/**
 * Make `uid`:`gid` the owner of `dirfd`/`name`, not following a link; with an empty `name` of the
 * open file `dirfd`, which may be open as O_PATH. Where owners are recorded both ids are; the file
 * itself is not touched otherwise, and keeps set-id bits and capabilities.
 * Returns as fchownat(): 0, or -1 with errno; -ENOTSUP is a file system without attributes.
 */
int xb_owner_set(int dirfd, const char *name, uid_t uid, gid_t gid);

/**
 * Where owners are recorded, put the recorded one of `dirfd`/`name` (as above) into `st`, which
 * says what it is. Returns whether there is a record: without, `st` says 0:0.
 */
bool xb_owner_read(int dirfd, const char *name, struct stat *st);

/**
 * The recorded owner of the file or directory `path`, following a link at its end or not. Returns
 * false for what has no record, and always for what is neither. For a quick look: one call.
 */
bool xb_owner_peek(const char *path, bool follow, uint32_t *ret_uid, uint32_t *ret_gid);

/** fstatat() of `dirfd`/`name` as above, with the recorded owner. Returns 0, or -1 with errno. */
int xb_owner_stat(int dirfd, const char *name, struct stat *st);

/**
 * Give the open directory `to` the owner of the open directory `from`; where owners are recorded,
 * no record when that has none. Returns 0, or -1 with errno.
 */
int xb_owner_copy(int from, int to);

/** Whether an attribute that was read is a record, and none of the image's. */
bool xb_owner_is_record(const char *name, struct xb_view value);

#endif
