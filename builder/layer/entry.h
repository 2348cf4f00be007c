/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the name of a layer's entry means: the same for who applies a layer and for who lists it.
 *
 * Source: OCI image-spec 1.1 layer.md, "Whiteouts".
 */
#ifndef XB_BUILDER_LAYER_ENTRY_H
#define XB_BUILDER_LAYER_ENTRY_H

#include "base/error.h"
#include "base/str.h"

/** What an entry of a layer is, by its name. */
enum xb_entry_meaning {
	XB_ENTRY_PLAIN,	   /**< itself */
	XB_ENTRY_WHITEOUT, /**< nothing of that name shows from below */
	XB_ENTRY_OPAQUE,   /**< nothing from below shows in its directory */
	XB_ENTRY_FOREIGN,  /**< aufs's own; belongs to the file system that made the layer */
};

/** Make `out` `text` without empty components and "."; ".." is refused: -EBADMSG. */
int xb_entry_clean(const char *text, struct xb_str *out, struct xb_error *err);

/**
 * What a cleaned name means. Of a whiteout `*ret_hidden` becomes the name that is hidden, one
 * component, borrowed from `name`; hiding "", "." and ".." is refused: -EBADMSG.
 */
int xb_entry_meaning(const char *name, const char **ret_hidden, struct xb_error *err);

#endif
