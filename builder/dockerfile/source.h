/* SPDX-License-Identifier: Apache-2.0 */
/** What a source of COPY and ADD, and a build context, is by its text. */
#ifndef XB_BUILDER_DOCKERFILE_SOURCE_H
#define XB_BUILDER_DOCKERFILE_SOURCE_H

#include "base/error.h"

/** The forms of a source. */
enum xb_source_form {
	XB_FORM_PATH, /**< a path */
	XB_FORM_FILE, /**< a URL of http or https */
	XB_FORM_GIT   /**< a git repository */
};

/**
 * Tell what a source of ADD is. The form github.com/… of git is a path there. Returns 0, or
 * -EINVAL, fault source, without a place, for a git source that cannot be.
 */
int xb_source_form_of(const char *source, enum xb_source_form *ret, struct xb_error *err);

/** Likewise for a build context, for which github.com/… is a repository. */
int xb_source_context_form(const char *source, enum xb_source_form *ret, struct xb_error *err);

#endif
