/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The process that becomes git: how a process knows that it is one, and what it does. git_run.h,
 * which starts it, includes this.
 *
 * Its arguments are "xbuild-git" and then pairs, in any order:
 *
 *	-w DIR   may be written below     -r PATH  may be read below     -C DIR  where to start
 *	-s N     bytes of the largest file
 *
 * and, after "--", the program (an absolute path) and its arguments. Standard streams and the
 * environment are the program's.
 */
#ifndef XB_BUILDER_FETCH_GIT_CHILD_H
#define XB_BUILDER_FETCH_GIT_CHILD_H

#include <stdbool.h>

/** argv[0] of the child. */
#define XB_GIT_NAME "xbuild-git"

/** Whether a process was started (argv[0], may be NULL) as the child. */
bool xb_git_child_wanted(const char *argv0);
/**
 * Be the child: put up the walls and execute the program. Returns only when that failed, with the
 * status to end with (127) after a line on standard error.
 */
int xb_git_child_main(int argc, char *const *argv);

#endif
