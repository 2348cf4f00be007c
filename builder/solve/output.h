/* SPDX-License-Identifier: Apache-2.0 */
/** Outputs: where the result of a build goes besides the store. */
#ifndef XB_BUILDER_SOLVE_OUTPUT_H
#define XB_BUILDER_SOLVE_OUTPUT_H

#include "base/error.h"
#include "builder/solve/output_spec.h"

/** Release. */
void xb_outputs_clear(struct xb_outputs *outputs);
#define xb_auto_outputs XB_CLEANUP(xb_outputs_clear)

/**
 * Read one value of `-o`: "type=oci,dest=out.tar,tar=false", or a path alone ("-" or a directory),
 * which is type=tar or type=local. Fields may be quoted as in CSV. Errors: -EINVAL, fault usage:
 * unknown type or key, a missing dest, a compression that the type cannot have.
 */
int xb_output_parse(const char *text, struct xb_outputs *outputs, struct xb_error *err);

/** Append the names that an output's image gets: those of the build, then its own, each once. */
void xb_output_names(const struct xb_output *output, const struct xb_strv *build,
		     struct xb_strv *names);
/** The word for a type. */
const char *xb_output_type_name(enum xb_output_type type);
/** Whether an output holds an image, and so needs layers to be packed. */
bool xb_output_has_image(const struct xb_output *output);

/**
 * Check that `output` can hold images of so many platforms, before anything runs: -EINVAL, fault
 * usage.
 */
int xb_output_check(const struct xb_output *output, size_t platforms, struct xb_error *err);
/**
 * Write one output; several may be written at once. A file appears whole or not at all. Returns 0,
 * or 1 when an archive was left as it is, since it is what would have been written
 * (builder/solve/output_kept.h). Errors: those of writing, fault store; -EINVAL, fault usage;
 * -ECANCELED, fault interrupted.
 */
int xb_output_write(const struct xb_output *output, const struct xb_output_source *source,
		    struct xb_error *err);

#endif
