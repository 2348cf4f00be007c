/* SPDX-License-Identifier: Apache-2.0 */
/** Outputs: where the result of a build goes besides the store. */
#ifndef XB_BUILDER_SOLVE_OUTPUT_H
#define XB_BUILDER_SOLVE_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/cache/store.h"
#include "builder/plan/plan.h"
#include "builder/solve/assemble.h"
#include "builder/solve/solve.h"

/** The types of `-o`. */
enum xb_output_type {
	XB_OUTPUT_IMAGE,     /**< kept in the store under its names */
	XB_OUTPUT_OCI,	     /**< an OCI layout, as a directory or a tar */
	XB_OUTPUT_DOCKER,    /**< what `docker load` takes; one platform */
	XB_OUTPUT_LOCAL,     /**< the files, in a directory */
	XB_OUTPUT_TAR,	     /**< the files, as a tar */
	XB_OUTPUT_CACHE_ONLY /**< nowhere */
};

/** Whether each platform's files go into a directory called after it. */
enum xb_output_split {
	XB_SPLIT_DEFAULT, /**< when there are several platforms */
	XB_SPLIT_ALWAYS,
	XB_SPLIT_NEVER, /**< then no two platforms may have the same file */
};

/** One `-o`; starts as `{ 0 }`. Strings are owned. */
struct xb_output {
	enum xb_output_type type;
	char *dest;		    /**< path, "-" for standard output, NULL for none */
	bool directory;		    /**< `tar=false` */
	enum xb_output_split split; /**< `platform-split=` of type=local and type=tar */
	bool mirror; /**< `mode=delete` of type=local: what is not in the result is removed */
	struct xb_form form;  /**< of the layers of an image */
	struct xb_strv names; /**< `name=`: image names besides those of the build */
	char *tag; /**< `tag=`: the name of the layout's entry, NULL: from the image names */
};
struct xb_outputs XB_ARRAY(struct xb_output);

/** Release. */
void xb_outputs_clear(struct xb_outputs *outputs);
#define xb_auto_outputs XB_CLEANUP(xb_outputs_clear)

/**
 * Read one value of `-o`: "type=oci,dest=out.tar,tar=false", or a path alone ("-" or a directory),
 * which is type=tar or type=local. Fields may be quoted as in CSV. Errors: -EINVAL, fault usage:
 * unknown type or key, a missing dest, a compression that the type cannot have.
 */
int xb_output_parse(const char *text, struct xb_outputs *outputs, struct xb_error *err);

/** The word for a type. */
const char *xb_output_type_name(enum xb_output_type type);
/** Whether an output holds an image, and so needs layers to be packed. */
bool xb_output_has_image(const struct xb_output *output);

/** What an output is made of; all borrowed. */
struct xb_output_source {
	struct xb_store *store;
	const struct xb_plan *plan;
	bool several; /**< several platforms were asked for: some may have been left out since */
	const struct xb_results *results;
	const struct xb_assembled
		*assembled;	     /**< of the output's form; NULL where it has no image */
	const struct xb_strv *names; /**< of the build (-t) */
	int64_t epoch;		     /**< -1: none */
	uint64_t max_layer;	     /**< as in struct xb_solve_request */
	bool own_files;		     /**< files of type=local belong to the user, not to others */
};

/**
 * Check that `output` can hold images of so many platforms, before anything runs: -EINVAL, fault
 * usage.
 */
int xb_output_check(const struct xb_output *output, size_t platforms, struct xb_error *err);
/**
 * Write one output. A file appears whole or not at all. Errors: those of writing, fault store;
 * -EINVAL, fault usage.
 */
int xb_output_write(const struct xb_output *output, const struct xb_output_source *source,
		    struct xb_error *err);

#endif
