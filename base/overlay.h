/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Overlay views of directories, as detached mounts.
 *
 * The mount is made with fsopen(), fsconfig() and fsmount() and never attached here, so nothing
 * is left behind when its descriptor is closed. (Before Linux 6.5, see below, it is for a moment,
 * in the private mount namespace of this process.) Its on-disk form is the same for root and for a
 * plain user: option `userxattr`, hence a whiteout is a character device 0/0 and an opaque
 * directory has the attribute `user.overlay.opaque`; no redirects, no metadata-only copies, no
 * inode index.
 *
 * This file and overlay.c need libc, base/error and base/str alone: xbuild-init uses them too.
 */
#ifndef XB_BASE_OVERLAY_H
#define XB_BASE_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/** The most lower directories that a kernel stacks (OVL_MAX_STACK). */
#define XB_OVERLAY_MAX_LOWERS 500
/**
 * As many lower directories go into the options of mount(), a page, when no descriptor has more
 * than four digits: what every kernel takes.
 */
#define XB_OVERLAY_SAFE_LOWERS 200

/**
 * What to lay over each other. The descriptors are borrowed, may be O_PATH and are not needed
 * after the call.
 */
struct xb_overlay {
	const int *lowers;  /**< directories, top first; at least 1 (at least 2 without upper) */
	size_t lower_count; /**< at most XB_OVERLAY_MAX_LOWERS */
	int upper;	    /**< where changes go, or -1: read only */
	int work; /**< an empty directory on the file system of `upper`; -1 without upper */
	bool lose_on_crash;  /**< option `volatile`: never sync; set it only where a crash means
				that `upper` is thrown away */
	bool old_calls;	     /**< do as for a kernel before 6.5: a test's */
	unsigned attributes; /**< MOUNT_ATTR_RDONLY, _NOSUID, _NODEV, _NOEXEC for the mount */
};

/**
 * Make the mount. Returns a descriptor of its root directory (close-on-exec, usable with openat()
 * and move_mount()) or a negative errno.
 *
 * Needs CAP_SYS_ADMIN in the user namespace that owns the mount namespace. A descriptor of
 * another *detached* mount is accepted as a lower directory from Linux 6.15 on. Layers are handed
 * over by descriptor (Linux 6.13), as `lowerdir+` (6.5) or in the options of mount(), which take
 * XB_OVERLAY_SAFE_LOWERS directories: more may give -E2BIG on such kernels. Thread-safe.
 *
 * Errors: those of the calls, with the kernel's own explanation where it gave one; -EINVAL for
 * counts out of range.
 * Source: Linux Documentation/filesystems/overlayfs.rst.
 */
int xb_overlay_mount(const struct xb_overlay *o, struct xb_error *err);

#endif
