/* SPDX-License-Identifier: Apache-2.0 */
/** Image archives that are written, or written anew, by the tools for indexes. */
#ifndef XB_BUILDER_CLI_ARCHIVE_TARGET_H
#define XB_BUILDER_CLI_ARCHIVE_TARGET_H

#include <stdatomic.h>

#include "base/error.h"
#include "builder/cli/image.h"
#include "manifest/descriptor.h"
#include "manifest/place.h"

/**
 * Write the archive that `to` names with `root` of `from` under its tag, and with all other images
 * that it has. The file is replaced when all is written and on the disk, or stays as it was; a
 * named pipe waits for its reader until `*cancelled` (NULL: never) is set.
 * Errors: -EINVAL, fault usage: an index for a Docker archive, no tag where there are several
 * images; -ECANCELED, fault interrupted.
 */
int xb_archive_target_write(const struct xb_named_image *to, struct xb_place *from,
			    const struct xb_descriptor *root, const atomic_bool *cancelled,
			    struct xb_error *err);

#endif
