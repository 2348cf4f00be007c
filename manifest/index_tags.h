/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The names of images in an index.json, that of a layout or an archive: an entry's tag is its
 * annotation org.opencontainers.image.ref.name. Source: OCI image-spec 1.1 image-layout.md.
 */
#ifndef XB_MANIFEST_INDEX_TAGS_H
#define XB_MANIFEST_INDEX_TAGS_H

#include <stdbool.h>

#include "base/error.h"
#include "manifest/index.h"

/**
 * Find an entry: `name` is a tag, containerd's full name, a digest, or NULL: the only entry, else
 * the one tagged `latest`. `where` is for messages; `*ret` is borrowed from `index`. Errors: as
 * xb_index_no_tag(); -EEXIST when two entries of different content have the name.
 */
int xb_index_find(const struct xb_index *index, const char *where, const char *name,
		  const struct xb_descriptor **ret, struct xb_error *err);
/** The first entry with this digest, borrowed, or NULL. */
const struct xb_descriptor *xb_index_find_digest(const struct xb_index *index,
						 const struct xb_digest *digest);
/** -ENOENT: that there is no such entry, with the names that there are. */
int xb_index_no_tag(const struct xb_index *index, const char *where, const char *name,
		    struct xb_error *err);

/** -EINVAL for what the layout specification does not allow as a tag. */
int xb_index_check_tag(const char *tag, struct xb_error *err);
/** Let `tag` mean `descriptor`: the entry with that tag is replaced, all others stay. */
void xb_index_set_tag(struct xb_index *index, const struct xb_descriptor *descriptor,
		      const char *tag);
/** Remove every entry with this tag; whether there was one. */
bool xb_index_remove_tag(struct xb_index *index, const char *tag);

#endif
