/* SPDX-License-Identifier: Apache-2.0 */
/** What an audit found in an image (builder/image/audit.h). */
#ifndef XB_BUILDER_IMAGE_FINDINGS_H
#define XB_BUILDER_IMAGE_FINDINGS_H

#include <stddef.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "platforms/audit.h"

/** A finding of an image. */
struct xb_image_finding {
	const struct xb_audit_rule *rule;
	enum xb_audit_grade grade;
	char *path;	    /**< of the file, or "" for what the config says; owned */
	size_t layer;	    /**< the file's, 0 for the lowest */
	char *sentence;	    /**< printable; owned */
	const char *reason; /**< why it is allowed, of the allow list's; NULL: it is not */
};

/** All findings of an image, by path; zeroed, there are none. */
struct xb_image_findings XB_ARRAY(struct xb_image_finding);

/** Release the findings and set them to zero. */
void xb_image_findings_clear(struct xb_image_findings *findings);

#define xb_auto_image_findings XB_CLEANUP(xb_image_findings_clear)

/** How many findings of a grade are not allowed. */
size_t xb_image_findings_count(const struct xb_image_findings *findings, enum xb_audit_grade grade);

#endif
