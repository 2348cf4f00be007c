/* SPDX-License-Identifier: Apache-2.0 */
/** Errors that point into a Dockerfile. */
#ifndef XB_BUILDER_DOCKERFILE_LOCATION_H
#define XB_BUILDER_DOCKERFILE_LOCATION_H

#include <stdarg.h>

#include "base/error.h"
#include "builder/dockerfile/ast.h"

/**
 * Make the error of something at `at` (a word's, flag's, instruction's place): -EINVAL, fault
 * source, message "PATH:LINE:COLUMN: sentence", and as excerpt the source line with a caret under
 * the column. A long line is shown around the column only. Returns -EINVAL.
 */
int xb_location_error(const struct xb_dockerfile *dockerfile, struct xb_location at,
		      struct xb_error *err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/** xb_location_error() with a va_list. */
int xb_location_verror(const struct xb_dockerfile *dockerfile, struct xb_location at,
		       struct xb_error *err, const char *format, va_list args)
	__attribute__((format(printf, 4, 0)));

/**
 * Give an error that `err` holds already (of an expansion, of a value) its place: its message gets
 * "PATH:LINE:COLUMN: " in front, and the excerpt is set. Returns the error's code.
 */
int xb_location_wrap(const struct xb_dockerfile *dockerfile, struct xb_location at,
		     struct xb_error *err);

/** Append the excerpt of an error at `at`, whose source line is `line`: two lines, no newline. */
void xb_location_excerpt(struct xb_view line, struct xb_location at, struct xb_str *out);

/** The line `number` (from 1) of the source without its line end, borrowed; empty if none. */
struct xb_view xb_location_line(const struct xb_dockerfile *dockerfile, uint32_t number);

#endif
