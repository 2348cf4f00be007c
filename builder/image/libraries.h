/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Which libraries a program of an image would be given, found in the image's merged tree as the
 * dynamic linkers of glibc and musl find them.
 *
 * Sources: ld.so(8); glibc elf/dl-load.c; musl ldso/dynlink.c; the paths in ld.so.conf stand for
 * ld.so.cache, which ldconfig makes of them.
 */
#ifndef XB_BUILDER_IMAGE_LIBRARIES_H
#define XB_BUILDER_IMAGE_LIBRARIES_H

#include <stdbool.h>

#include "base/array.h"
#include "builder/image/tree.h"

/** Where libraries are looked for in an image, whoever looks. Starts as `{ 0 }`. */
struct xb_libraries {
	const struct xb_image_tree *tree; /**< borrowed */
	struct xb_strv environment;	  /**< LD_LIBRARY_PATH of the image's config */
	struct xb_strv configured;	  /**< ld.so.conf, what it includes, and the defaults */
	struct xb_strv musl;		  /**< likewise, of musl */
	bool has_musl;			  /**< musl's linker is in the image */
	bool has_glibc;			  /**< some other linker is */
};

/** Find out for a tree; `library_path` is LD_LIBRARY_PATH, or NULL. */
void xb_libraries_init(struct xb_libraries *ret, const struct xb_image_tree *tree,
		       const char *library_path);
/** Release. */
void xb_libraries_clear(struct xb_libraries *libraries);

#define xb_auto_libraries XB_CLEANUP(xb_libraries_clear)

/** Whether it is musl's linker that would load the file, as far as it or the image says. */
bool xb_libraries_is_musl(const struct xb_libraries *libraries, const struct xb_facts *facts);

/**
 * Find the library `name` (an entry of DT_NEEDED) for the file `node`, which is ELF code. Returns
 * it, or NULL; `*ret_other` (may be NULL) becomes then a file of the name that is for another
 * machine, or NULL. With `*ret_itself` (may be NULL) true the linker itself takes the place of it.
 */
const struct xb_image_node *xb_libraries_find(const struct xb_libraries *libraries,
					      const struct xb_image_node *node, const char *name,
					      const struct xb_image_node **ret_other,
					      bool *ret_itself);

#endif
