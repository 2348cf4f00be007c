/* SPDX-License-Identifier: Apache-2.0 */
/** Audits of images for commands: of all platforms of an image, and how they are told. */
#ifndef XB_BUILDER_CLI_AUDIT_H
#define XB_BUILDER_CLI_AUDIT_H

#include <stdio.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/cli/platforms.h"
#include "builder/image/audit.h"
#include "builder/image/load.h"
#include "manifest/image.h"

/** The audit of an image of one platform. */
struct xb_audited {
	struct xb_platform platform;
	struct xb_digest digest; /**< of its manifest */
	struct xb_image_findings findings;
	struct xb_audit_allow *allow;		  /**< what reasons are borrowed from */
	struct XB_ARRAY(struct xb_digest) layers; /**< of their blobs, lowest first */
	size_t files;				  /**< names in its tree */
};

/** Audits of an image or an index; zeroed, there are none. */
struct xb_audits {
	struct XB_ARRAY(struct xb_audited) images;
};

/** Release. */
void xb_audits_clear(struct xb_audits *audits);

#define xb_auto_audits XB_CLEANUP(xb_audits_clear)

/** What to audit. */
struct xb_audit_request {
	struct xb_image_source from;
	const struct xb_platforms *platforms; /**< of these alone; NULL or empty: of all */
	const char *allow;	/**< the text of an allow file, or NULL; labels count besides */
	const char *allow_name; /**< of that file, for messages */
};

/**
 * Audit the images below `root`, an index or a manifest. Errors: fault platform where none is of
 * the platforms that are wanted; those of reading.
 */
int xb_audits_make(const struct xb_audit_request *request, const struct xb_descriptor *root,
		   struct xb_audits *ret, struct xb_error *err);

/** How many findings of a grade there are that nothing allows. */
size_t xb_audits_count(const struct xb_audits *audits, enum xb_audit_grade grade);

/** Print for people: what is told of each platform, at most ten findings of a rule. */
void xb_audits_print(const struct xb_audits *audits, enum xb_audit_grade least, FILE *out);
/** Print all as a JSON object. */
int xb_audits_print_json(const struct xb_audits *audits, const char *name, FILE *out,
			 struct xb_error *err);
/** Print all as SARIF 2.1.0, which code hosting sites take. */
int xb_audits_print_sarif(const struct xb_audits *audits, const char *name, FILE *out,
			  struct xb_error *err);

#endif
