/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Wildcard patterns of paths: what COPY and .dockerignore have in common. A pattern is compiled to
 * a list of elements and matched by keeping the set of elements that may come next, so that time is
 * at most length of the pattern times length of the path, whatever the pattern.
 */
#ifndef XB_BUILDER_DOCKERFILE_WILDCARD_H
#define XB_BUILDER_DOCKERFILE_WILDCARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/error.h"
#include "base/str.h"

/** The elements of a pattern. */
enum xb_wild_kind {
	XB_WILD_LITERAL, /**< one certain character */
	XB_WILD_ANY,	 /**< one character but "/" */
	XB_WILD_CLASS,	 /**< one character of a class, never "/" */
	XB_WILD_STAR,	 /**< any run of characters but "/" */
	XB_WILD_DIRS,	 /**< nothing, or any run of characters that ends with "/" ... */
	XB_WILD_WITHIN,	 /**< ... the second element that each XB_WILD_DIRS has */
	XB_WILD_ALL	 /**< any run of characters */
};

/** One element. */
struct xb_wild_element {
	enum xb_wild_kind kind;
	uint32_t rune;	/**< of a literal */
	bool negated;	/**< of a class */
	uint16_t first; /**< of a class: its ranges */
	uint16_t count;
};

/** The characters from..to of a class. */
struct xb_wild_range {
	uint32_t from;
	uint32_t to;
};

struct xb_wild_elements XB_ARRAY(struct xb_wild_element);
struct xb_wild_ranges XB_ARRAY(struct xb_wild_range);

/** A compiled pattern; starts zeroed. */
struct xb_wild {
	struct xb_wild_elements elements;
	struct xb_wild_ranges ranges;
	struct xb_str head; /**< the plain text that every match begins with */
	struct xb_str tail; /**< the plain text that every match ends with */
};

/** Release. */
void xb_wild_clear(struct xb_wild *wild);

/**
 * Compile a pattern into `wild`, which must be zeroed. With `deep`, "**" means any number of
 * directories. Errors: -EINVAL (malformed), -EFBIG (above XB_MAX_PATTERN).
 */
int xb_wild_compile(struct xb_view pattern, bool deep, struct xb_wild *wild, struct xb_error *err);

/** What a path and a pattern have to do with each other; bits of xb_wild_match()'s result. */
enum {
	XB_WILD_WHOLE = 1,  /**< the path matches */
	XB_WILD_PARENT = 2, /**< one of the directories above it matches */
	XB_WILD_BELOW = 4   /**< a path below it may match */
};

/** Match a path of at most XB_MAX_PATTERN bytes; only the bits in `wanted` are found out. */
unsigned xb_wild_match(const struct xb_wild *wild, struct xb_view path, unsigned wanted);

#endif
