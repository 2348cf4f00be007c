/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Options and build arguments that `docker buildx build` has, and what of them a build needs: what
 * has no meaning here is taken only where leaving it out changes nothing, and refused elsewhere.
 */
#ifndef XB_BUILDER_CLI_PARITY_H
#define XB_BUILDER_CLI_PARITY_H

#include "base/array.h"
#include "base/error.h"
#include "builder/plan/plan.h"
#include "builder/solve/annotate.h"

/** Bytes of the longest host name that Linux takes. */
#define XB_HOSTNAME_MAX 64

/** What the command line has of them; borrowed. */
struct xb_parity_options {
	const struct xb_strv *mismatches;   /**< --allow-mismatch */
	const struct xb_strv *filters;	    /**< --no-cache-filter */
	const struct xb_strv *annotations;  /**< --annotation */
	const struct xb_strv *attestations; /**< --attest */
	const struct xb_strv *build_args;   /**< "NAME=value" */
	const char *provenance;		    /**< --provenance, or NULL */
	const char *sbom;		    /**< --sbom, or NULL */
	const char *builder;		    /**< --builder, or NULL */
};

/** What they come to; starts as `{ 0 }`. */
struct xb_parity {
	struct xb_plan_allow allow;
	struct xb_strv fresh_stages; /**< names of stages of which nothing is looked up */
	struct xb_annotate annotate;
	bool has_index;	      /**< BUILDKIT_MULTI_PLATFORM was given, ... */
	bool index;	      /**< ... and says that there is an index, for one platform too */
	const char *hostname; /**< BUILDKIT_SANDBOX_HOSTNAME; borrowed, or NULL */
	const char *cache_ns; /**< BUILDKIT_CACHE_MOUNT_NS; likewise */
};

/** Release. */
void xb_parity_clear(struct xb_parity *parity);

/** Read them. Errors: fault usage, naming the option and what to write. */
int xb_parity_read(const struct xb_parity_options *options, struct xb_parity *ret,
		   struct xb_error *err);

/**
 * Whether the result for `count` platforms is an index. Error: -EINVAL, fault usage, when
 * BUILDKIT_MULTI_PLATFORM says that it is none, but there are several.
 */
int xb_parity_index(const struct xb_parity *parity, size_t count, bool *ret, struct xb_error *err);

#endif
