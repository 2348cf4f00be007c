/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What differs between two images: files, packages, config. Between images of two platforms the
 * names of architectures do not count (builder/image/fold.h), and code of the one is as good as
 * code of the other where it is the same kind of file.
 *
 * Both trees have the digests of their files.
 */
#ifndef XB_BUILDER_IMAGE_DIFFERENCE_H
#define XB_BUILDER_IMAGE_DIFFERENCE_H

#include "base/array.h"
#include "builder/image/tree.h"
#include "manifest/config.h"

/** In what two things differ. */
enum xb_differs {
	XB_DIFFERS_ONLY_FIRST,	/**< it is in the first image only */
	XB_DIFFERS_ONLY_SECOND, /**< it is in the second image only */
	XB_DIFFERS_TYPE,
	XB_DIFFERS_MODE,
	XB_DIFFERS_OWNER,
	XB_DIFFERS_LINK,    /**< the target of a link, or a device's number */
	XB_DIFFERS_CONTENT, /**< data that is no code for both machines */
	XB_DIFFERS_SIZE, /**< code whose size stands out: four times that of the other, and more */
	XB_DIFFERS_TIME, /**< only if that was asked for */
	XB_DIFFERS_KINDS
};

/** A difference; owned strings. */
struct xb_difference {
	enum xb_differs what;
	char *name;   /**< a path in the image that has it (the first's, if both), or a package */
	char *first;  /**< what the first image has, printable; NULL: nothing */
	char *second; /**< likewise of the second */
};

/** An image as it is compared; all borrowed. */
struct xb_compared {
	const struct xb_image_tree *tree;
	const struct xb_image_config *config;
	const struct xb_platform *platform;
};

/** What was found. Starts as `{ 0 }`. */
struct xb_differences {
	struct XB_ARRAY(struct xb_difference) files;
	struct XB_ARRAY(struct xb_difference) packages; /**< XB_DIFFERS_CONTENT: another version */
	struct XB_ARRAY(struct xb_difference) config;	/**< named by what of the config it is */
	size_t same;					/**< files that do not differ */
	size_t code; /**< of those: code for each image's machine, and package managers' records */
	size_t package_counts[2];
	bool unread; /**< packages of rpm's were not looked at */
};

/** Release. */
void xb_differences_clear(struct xb_differences *differences);

#define xb_auto_differences XB_CLEANUP(xb_differences_clear)

/** Compare; with `times` the times of files count, too. */
void xb_differences_find(const struct xb_compared *first, const struct xb_compared *second,
			 bool times, struct xb_differences *ret);

/** "only in the first", "mode"… */
const char *xb_differs_name(enum xb_differs what);

#endif
