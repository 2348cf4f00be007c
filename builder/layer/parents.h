/* SPDX-License-Identifier: Apache-2.0 */
/** Making the directories that COPY and ADD find missing. */
#ifndef XB_BUILDER_LAYER_PARENTS_H
#define XB_BUILDER_LAYER_PARENTS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/** What made directories get. */
struct xb_parents {
	mode_t mode;
	uid_t uid;
	gid_t gid;
	int64_t epoch; /**< their time in seconds; -1: now */
};

/**
 * Make the directory `path` and its missing parents inside `root_fd`; those that exist stay as
 * they are. Returns an O_PATH descriptor of it. Errors: as xb_mkdir_in_root().
 */
int xb_parents_make(int root_fd, const char *path, const struct xb_parents *options,
		    struct xb_error *err);

#endif
