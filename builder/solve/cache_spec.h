/* SPDX-License-Identifier: Apache-2.0 */
/**
 * `--cache-from` and `--cache-to`: where caches outside of the store are, as buildx has it.
 *
 *	type=registry,ref=NAME		a tag of a repository; from: also an image with records in
 *it type=local,src=DIR|dest=DIR	an OCI layout; tag=NAME in it (latest), from: digest=DIGEST
 *	type=inline			to: in the image; from: with ref=NAME, as type=registry
 *	NAME				type=registry,ref=NAME
 */
#ifndef XB_BUILDER_SOLVE_CACHE_SPEC_H
#define XB_BUILDER_SOLVE_CACHE_SPEC_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"

/** Where a cache is kept. */
enum xb_cache_type { XB_CACHE_REGISTRY, XB_CACHE_LOCAL, XB_CACHE_INLINE };

/** One `--cache-from` or `--cache-to`; strings are owned. Starts as `{ 0 }`. */
struct xb_cache_spec {
	enum xb_cache_type type;
	char *text;	   /**< as given, for messages */
	char *where;	   /**< a reference, or a directory; NULL: in the image */
	char *tag;	   /**< of a local one; NULL: latest */
	char *digest;	   /**< of a local one to read; NULL: by tag */
	bool all;	   /**< mode=max: every step, not only those of the result */
	bool ignore_error; /**< what goes wrong is a warning */
};
struct xb_cache_specs XB_ARRAY(struct xb_cache_spec);

/** Release. */
void xb_cache_specs_clear(struct xb_cache_specs *specs);
#define xb_auto_cache_specs XB_CLEANUP(xb_cache_specs_clear)

/** Read a `--cache-from`, and add it. Errors: -EINVAL, fault usage. */
int xb_cache_from_parse(const char *text, struct xb_cache_specs *specs, struct xb_error *err);
/** Likewise a `--cache-to`. */
int xb_cache_to_parse(const char *text, struct xb_cache_specs *specs, struct xb_error *err);

/** Whether any of them wants every step. */
bool xb_cache_specs_want_all(const struct xb_cache_specs *specs);
/** Whether one of them is to be in the image. */
bool xb_cache_specs_want_inline(const struct xb_cache_specs *specs);

#endif
