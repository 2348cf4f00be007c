/* SPDX-License-Identifier: Apache-2.0 */
/** Extended attributes as a canonical byte string; for the modules of this directory only. */
#ifndef XB_BUILDER_CONTEXT_XATTRS_H
#define XB_BUILDER_CONTEXT_XATTRS_H

#include <stddef.h>

#include "base/str.h"

/** Bytes of the attributes of one file: the kernel's list has at most 64 KiB, a value too. */
#define XB_MAX_XATTRS ((size_t)16 << 20)

/**
 * Append those attributes of an open file that a layer keeps, sorted by name: of each the name, a
 * NUL, the length of the value as 8 big-endian bytes, the value. Kept are `user.*` but not
 * `user.overlay.*`, `security.capability`, POSIX ACLs. Returns 0 or a negative errno; a file system
 * without attributes has none.
 */
int xb_xattrs_encode(int fd, struct xb_str *ret);

#endif
