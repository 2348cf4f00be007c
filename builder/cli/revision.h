/* SPDX-License-Identifier: Apache-2.0 */
/** Of which revision a directory is, as its git repository says. */
#ifndef XB_BUILDER_CLI_REVISION_H
#define XB_BUILDER_CLI_REVISION_H

#include "base/error.h"

/**
 * The commit that is checked out in the git repository that `path`, a directory of the user's, or
 * one above it belongs to: `*ret` gets its id (the caller's), NULL where there is no repository.
 * Git's own files are read and no program is started; whether files were changed since is not
 * known. Errors: -EBADMSG for a repository that has no commit or keeps it in a way not known here.
 */
int xb_revision_find(const char *path, char **ret, struct xb_error *err);

#endif
