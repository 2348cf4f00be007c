/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What stands in a snapshot for names that are gone, and for directories that hide what is below
 * them: as in overlay a character device 0/0, and the attribute `user.overlay.opaque`.
 *
 * File systems that do not take these (an overlay takes no device 0/0, others have no attributes)
 * get marks of our own: a socket of mode 0 and of the time 0, and an empty file of a name that no
 * layer can hold. Both are unmistakable: layers have no sockets, so that one in a snapshot says no
 * more than that no file is there, and where attributes can be had the file's name means nothing.
 * An overlay does not know them: see xb_means_copies() (builder/cache/means.h).
 */
#ifndef XB_BUILDER_LAYER_WHITEOUT_H
#define XB_BUILDER_LAYER_WHITEOUT_H

#include <stdbool.h>
#include <sys/stat.h>

/** Whether a file of this status stands for a name that is gone. */
bool xb_whiteout_is(const struct stat *st);
/** Make one. Returns 1 when it is a mark of our own, 0, or a negative errno. */
int xb_whiteout_make(int dirfd, const char *name);

/** Whether the open directory hides what is below it. */
bool xb_whiteout_is_opaque(int fd);
/** Make it hide that. Returns 1 when that took a mark of our own, 0, or a negative errno. */
int xb_whiteout_make_opaque(int fd);
/** Whether the entry `name` of the open directory is no file but the mark that it is opaque. */
bool xb_whiteout_is_opaque_mark(int dirfd, const char *name);

#endif
