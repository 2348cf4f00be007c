/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What of an audit's findings somebody knows of and wants: a text of lines, each
 *
 *	PATTERN RULE REASON…
 *
 * PATTERN is a path of the image with the wildcards of fnmatch(3), of which `*` matches slashes
 * too; RULE is a rule's id or `*`; the reason is required. Empty lines and those that begin with
 * "#" say nothing.
 */
#ifndef XB_BUILDER_IMAGE_ALLOW_H
#define XB_BUILDER_IMAGE_ALLOW_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

/** The label of an image whose value is such a text. */
#define XB_AUDIT_ALLOW_LABEL "io.xbuild.audit.allow"
/** The file of a build context that is such a text. */
#define XB_AUDIT_ALLOW_FILE ".xbuild-audit"
/** The most bytes of such a text. */
#define XB_MAX_AUDIT_ALLOW ((size_t)1 << 20)

struct xb_audit_allow;

/** An empty list. */
struct xb_audit_allow *xb_audit_allow_new(void);
/** Release; NULL is left alone. */
void xb_audit_allow_free(struct xb_audit_allow *allow);

XB_DEFINE_CLEANUP(xb_audit_allow_cleanup, struct xb_audit_allow, xb_audit_allow_free)
#define xb_auto_audit_allow XB_CLEANUP(xb_audit_allow_cleanup)

/** Add a text's lines; `where` names it in messages. -EINVAL for a line that is none, fault source.
 */
int xb_audit_allow_add(struct xb_audit_allow *allow, struct xb_view text, const char *where,
		       struct xb_error *err);

/** Why a finding is allowed (borrowed); NULL: it is not. `allow` NULL allows nothing. */
const char *xb_audit_allow_reason(const struct xb_audit_allow *allow, const char *path,
				  const char *rule);

#endif
