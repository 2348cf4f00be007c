/* SPDX-License-Identifier: Apache-2.0 */
/** An image layout as a place (manifest/place.h). */
#ifndef XB_MANIFEST_PLACE_LAYOUT_H
#define XB_MANIFEST_PLACE_LAYOUT_H

#include "manifest/layout.h"
#include "manifest/place.h"

/** The place; a plain value with nothing to release. */
struct xb_layout_place {
	struct xb_place place;
	const struct xb_layout *layout; /**< borrowed */
	struct xb_layout *writable;	/**< the same, or NULL: nothing may be written */
	bool sync;			/**< what is written is on the disk when a call returns */
};

/** What layouts can do. */
extern const struct xb_place_ops xb_layout_place_ops;

/** A layout to read from. */
struct xb_layout_place xb_layout_place(const struct xb_layout *layout);
/** A layout to write to as well. */
struct xb_layout_place xb_layout_place_rw(struct xb_layout *layout, bool sync);

/** A layout to read from as a `struct xb_place *` that lives as long as the block around it. */
#define XB_PLACE_OF(layout_) (&(struct xb_layout_place[]){ xb_layout_place(layout_) }[0].place)

#endif
