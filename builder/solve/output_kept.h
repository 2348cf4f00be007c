/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Archives that were written by earlier builds and are still what they were, so that a build that
 * would write the same leaves them; for builder/solve/output*.c.
 *
 * A file is known by its place, device, inode, size, owner, mode, and the times of its last change
 * and of the last change of its inode, to the nanosecond, within one boot. When it was written it
 * got a time that no later writing can leave as it is; see docs/decisions. A file that anything can
 * be said against is not known.
 */
#ifndef XB_BUILDER_SOLVE_OUTPUT_KEPT_H
#define XB_BUILDER_SOLVE_OUTPUT_KEPT_H

#include <stdbool.h>

#include "base/digest.h"

/**
 * Whether the file `dest` is what this store (its directory of memories is `dirfd`) wrote there
 * when its content was `content`, unchanged since, and nobody is writing to it. Then its time
 * becomes now, as if it had been written.
 */
bool xb_output_kept(int dirfd, const char *dest, const struct xb_digest *content);

/** Give a file that is written, before it has its name, a time that a later change of it changes.
 */
void xb_output_date(int fd);
/** Remember that the file `fd`, dated and then named `dest`, has `content`. A help for later: what
 *  cannot be remembered is not. */
void xb_output_remember(int dirfd, const char *dest, int fd, const struct xb_digest *content);

#endif
