/* SPDX-License-Identifier: Apache-2.0 */
/** Outputs that are files and no image: type=local and type=tar; for builder/solve/output.c. */
#ifndef XB_BUILDER_SOLVE_OUTPUT_FILES_H
#define XB_BUILDER_SOLVE_OUTPUT_FILES_H

#include "base/error.h"
#include "builder/solve/output_spec.h"

/**
 * Copy the files of all targets below the destination. With `mode=delete` what is there besides
 * them is removed first. Errors: -EEXIST, fault usage, when two targets have the same file and no
 * directories of their own.
 */
int xb_output_write_local(const struct xb_output *output, const struct xb_output_source *source,
			  struct xb_error *err);
/** Write the files of all targets as one tar. */
int xb_output_write_tar(const struct xb_output *output, const struct xb_output_source *source,
			struct xb_error *err);

#endif
