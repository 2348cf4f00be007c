/* SPDX-License-Identifier: Apache-2.0 */
/** What an image or an index gives to another index: its entries, flattened and checked. */
#ifndef XB_MANIFEST_MEMBERS_H
#define XB_MANIFEST_MEMBERS_H

#include "base/error.h"
#include "manifest/draft.h"
#include "manifest/place.h"

/**
 * Append the entries that `root` gives: an image one, with the platform that its config names; an
 * index all of its own and of the indexes in it, with their bytes. Entries without a platform get
 * that of their config, and stay without where they are no images; attestations come along.
 * `source` names the member for messages.
 *
 * Errors: those of reading; -EINVAL, fault platform, when an index says another platform than the
 * config of its image; -ELOOP, -E2BIG.
 */
int xb_members_add(struct xb_place *place, const struct xb_descriptor *root, const char *source,
		   struct xb_draft_entries *ret, struct xb_error *err);

#endif
