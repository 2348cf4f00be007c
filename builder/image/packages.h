/* SPDX-License-Identifier: Apache-2.0 */
/** The packages that an image's package manager says are installed: dpkg's and apk's. */
#ifndef XB_BUILDER_IMAGE_PACKAGES_H
#define XB_BUILDER_IMAGE_PACKAGES_H

#include "base/array.h"
#include "builder/image/tree.h"

/** A package; owned strings. */
struct xb_package {
	char *name;
	char *version; /**< as the package manager has it */
	uint64_t size; /**< installed, in bytes; 0: not told */
};

/** Packages in byte order of their names. Starts as `{ 0 }`. */
struct xb_packages {
	struct XB_ARRAY(struct xb_package) list;
	bool unread; /**< there is a database of rpm's besides, which is not read */
};

/** Release. */
void xb_packages_clear(struct xb_packages *packages);

#define xb_auto_packages XB_CLEANUP(xb_packages_clear)

/**
 * Read what a tree has of dpkg's status, status.d (as images without dpkg have it) and apk's
 * database. What is not installed whole is left out, and so are lines that are none.
 */
void xb_packages_read(const struct xb_image_tree *tree, struct xb_packages *ret);

#endif
