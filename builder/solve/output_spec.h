/* SPDX-License-Identifier: Apache-2.0 */
/** What an output is, and what it is made of: plain values. */
#ifndef XB_BUILDER_SOLVE_OUTPUT_SPEC_H
#define XB_BUILDER_SOLVE_OUTPUT_SPEC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "builder/cache/store.h"
#include "builder/plan/plan.h"
#include "builder/solve/assemble.h"
#include "builder/solve/form.h"
#include "builder/solve/solve.h"

struct xb_context_memory;

/** The types of `-o`. */
enum xb_output_type {
	XB_OUTPUT_IMAGE,     /**< kept in the store under its names */
	XB_OUTPUT_REGISTRY,  /**< pushed under its names */
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
	struct xb_annotate
		annotate;    /**< `annotation.NAME=` and the like: besides those of the build */
	bool push;	     /**< `push=` of type=image; always of type=registry */
	bool push_by_digest; /**< `push-by-digest=`: no tag is moved */
	char *tag; /**< `tag=`: the name of the layout's entry, NULL: from the image names */
};
struct xb_outputs XB_ARRAY(struct xb_output);

/** What an output is made of; all borrowed. */
struct xb_output_source {
	struct xb_store *store;
	const struct xb_plan *plan;
	bool several; /**< several platforms were asked for: some may have been left out since */
	const struct xb_results *results;
	const struct xb_assembled
		*assembled;		 /**< of the output's form; NULL where it has no image */
	const struct xb_strv *names;	 /**< of the build (-t) */
	int64_t epoch;			 /**< -1: none */
	uint64_t max_layer;		 /**< as in struct xb_solve_request */
	struct xb_context_memory *blobs; /**< files of blobs that were found whole, so that they are
					    not read again until they change; NULL: all are */
	const atomic_bool *cancelled;	 /**< once it is true writing ends soon; NULL: never */
	bool own_files; /**< files of type=local belong to the user, not to others */
};

#endif
