/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Whether an image or an index is what it says: `xbuild doctor IMAGE`. Documents are read and blobs
 * asked for; no layer is, unless everything in the images is to be looked at as well.
 */
#ifndef XB_BUILDER_CLI_IMAGE_DOCTOR_H
#define XB_BUILDER_CLI_IMAGE_DOCTOR_H

#include <stdio.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/image/load.h"
#include "platforms/audit.h"

/** Something that is not as it should be. */
struct xb_ailment {
	enum xb_audit_grade grade;
	const char *id;	    /**< "child-missing"; constant */
	char *where;	    /**< a digest, with the platform where there is one; owned */
	char *sentence;	    /**< printable; owned */
	const char *remedy; /**< constant */
};

/** What was found. Starts as `{ 0 }`. */
struct xb_diagnosis {
	struct XB_ARRAY(struct xb_ailment) ailments;
	size_t documents; /**< indexes, manifests and configs that were read */
	size_t blobs;	  /**< layers that were asked for */
};

/** Release. */
void xb_diagnosis_clear(struct xb_diagnosis *diagnosis);

#define xb_auto_diagnosis XB_CLEANUP(xb_diagnosis_clear)

/**
 * Look at what `root` of `from->place` leads to; with `deep` the images' files, too
 * (builder/image/audit.h). What is missing or wrong is no error but a finding. Errors: those of the
 * place where it does not answer.
 */
int xb_diagnosis_make(const struct xb_image_source *from, const struct xb_descriptor *root,
		      bool deep, struct xb_diagnosis *ret, struct xb_error *err);

/** How many findings are of a grade. */
size_t xb_diagnosis_count(const struct xb_diagnosis *diagnosis, enum xb_audit_grade grade);

/** Print for people. */
void xb_diagnosis_print(const struct xb_diagnosis *diagnosis, const char *name,
			const struct xb_descriptor *root, FILE *out);
/** Print as a JSON object. */
int xb_diagnosis_print_json(const struct xb_diagnosis *diagnosis, const char *name,
			    const struct xb_descriptor *root, FILE *out, struct xb_error *err);

#endif
