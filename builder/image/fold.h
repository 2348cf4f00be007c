/* SPDX-License-Identifier: Apache-2.0 */
/** Texts without the names of architectures, so that what images of two platforms have is compared.
 */
#ifndef XB_BUILDER_IMAGE_FOLD_H
#define XB_BUILDER_IMAGE_FOLD_H

#include "base/str.h"
#include "platforms/platform.h"

/**
 * Append `path` with the names that the platform's architecture has (OCI's, uname's, Debian's,
 * GNU's triplets) as "{arch}", the directories lib32, lib64 and libx32 as "lib", and dynamic
 * linkers as "{ld.so}".
 */
void xb_fold_path(struct xb_view path, const struct xb_platform *platform, struct xb_str *out);

/** Append `text` with those names as "{arch}". */
void xb_fold_text(struct xb_view text, const struct xb_platform *platform, struct xb_str *out);

#endif
