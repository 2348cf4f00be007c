/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What names of images mean, each found out once in a build: a tag of the store, else what a
 * registry says, what it said last (--offline), or what a lock file says (--locked).
 *
 * Any thread may ask. What was found does not change and lives as long as the object.
 */
#ifndef XB_BUILDER_SOLVE_ROOTS_H
#define XB_BUILDER_SOLVE_ROOTS_H

#include <stdbool.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "builder/cache/store.h"
#include "builder/solve/pins.h"
#include "builder/solve/repositories.h"
#include "manifest/descriptor.h"
#include "manifest/place.h"

/** How names are found; all is borrowed. Zeroed: the store's tags, then registries. */
struct xb_roots_policy {
	bool fresh;	      /**< ask registries for what the store has a tag of */
	bool offline;	      /**< ask nobody */
	struct xb_pins *pins; /**< what is pinned is that and nothing else; NULL: nothing is */
	bool locked;	      /**< nothing may be without a pin */
	const struct xb_strv *renewed; /**< references for which registries are asked; or NULL */
};

/** Why a name has no meaning here. */
enum xb_root_miss {
	XB_ROOT_FAULT,	   /**< something went wrong */
	XB_ROOT_NOT_HERE,  /**< nobody may be asked, and the store does not know */
	XB_ROOT_NOT_PINNED /**< it has to have a pin, and has none */
};

/** What a name means. */
struct xb_root {
	char *name;		/**< as it was asked for */
	char *reference;	/**< normalised */
	struct xb_place *place; /**< where the image is */
	struct xb_descriptor descriptor;
	int status;		/**< 0, or why it was not found */
	enum xb_root_miss miss; /**< then */
	struct xb_error error;	/**< then */
};

struct xb_roots;

/**
 * None yet. `repositories` (borrowed; NULL: there are no registries) and `store` outlive it.
 */
struct xb_roots *xb_roots_new(struct xb_store *store, struct xb_repositories *repositories,
			      const struct xb_roots_policy *policy);
/** Release; NULL is left alone. */
void xb_roots_free(struct xb_roots *roots);

XB_DEFINE_CLEANUP(xb_roots_cleanup, struct xb_roots, xb_roots_free)
#define xb_auto_roots XB_CLEANUP(xb_roots_cleanup)

/**
 * What the image `name` means, borrowed. An error is given once: whoever asks then has it looked
 * for again. Errors: fault source for what is no name; fault registry: -ENETUNREACH for
 * XB_ROOT_NOT_HERE, those of registries; fault proof: -ENOKEY for XB_ROOT_NOT_PINNED, -EBADMSG for
 * a digest that is not the pinned one, or that the registry no longer has.
 */
int xb_roots_find(struct xb_roots *roots, const char *name, const struct xb_root **ret,
		  struct xb_error *err);
/** Find out about all of `names` (distinct), several at once. What goes wrong is kept for
 *  xb_roots_find(). */
void xb_roots_expect(struct xb_roots *roots, const struct xb_strv *names);
/** Whether it is known what a name means. */
bool xb_roots_know(struct xb_roots *roots, const char *name);
/** Append the names that are missing for this reason. By one thread, after xb_roots_expect(). */
void xb_roots_missing(struct xb_roots *roots, enum xb_root_miss miss, struct xb_strv *ret);

/**
 * Check the image of `platform` that was found for a root against the pins, and count the pin as
 * used. Errors: fault proof, -ENOKEY or -EBADMSG.
 */
int xb_roots_check(struct xb_roots *roots, const struct xb_root *root,
		   const struct xb_platform *platform, const struct xb_digest *image,
		   struct xb_error *err);

/** The error of XB_ROOT_NOT_HERE, for one name or several: `names` is a list for people. */
int xb_roots_not_here(const char *names, struct xb_error *err);
/** Likewise of XB_ROOT_NOT_PINNED. */
int xb_roots_not_pinned(const char *names, struct xb_error *err);

#endif
