/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Whether everything in an image of a platform is for that platform and finds what it needs: the
 * rules of single files (platforms/audit.h), and those that only the merged tree can tell of:
 * interpreters, libraries and their versions, what the image is to start. docs/audit.md has all.
 *
 * What is never run (objects, libraries that nobody may load) is graded less than what fails as
 * soon as it is used. What cannot be known is not said.
 */
#ifndef XB_BUILDER_IMAGE_AUDIT_H
#define XB_BUILDER_IMAGE_AUDIT_H

#include <stddef.h>

#include "builder/image/allow.h"
#include "builder/image/findings.h"
#include "builder/image/tree.h"
#include "manifest/config.h"
#include "platforms/audit.h"

/**
 * Append what is to be said of an image of `platform`. `allow` may be NULL; what it allows is
 * listed with its reason.
 */
void xb_image_audit(const struct xb_image_tree *tree, const struct xb_platform *platform,
		    const struct xb_image_config *config, const struct xb_audit_allow *allow,
		    struct xb_image_findings *findings);

/** The `index`-th of the rules that only trees have, NULL past the last. */
const struct xb_audit_rule *xb_image_audit_rule_at(size_t index);

#endif
