/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/tag.h"

#include <errno.h>
#include <string.h>

#include "builder/cache/durable.h"
#include "builder/cache/lease.h"
#include "builder/cache/mend.h"
#include "builder/cache/state.h"
#include "manifest/layout.h"

void xb_tags_clear(struct xb_tags *tags)
{
	for (size_t i = 0; i < tags->len; i++) {
		free(tags->items[i].name);
		xb_descriptor_clear(&tags->items[i].descriptor);
	}
	xb_array_clear(tags);
}

/* Whether a name means this document already. */
static bool is_tagged(struct xb_store *store, const struct xb_digest *root)
{
	xb_auto_tags struct xb_tags tags = { 0 };
	bool found = false;

	/* an index.json that cannot be read is told of by whoever changes it */
	if (xb_tag_list(store, &tags, NULL) < 0)
		return false;
	for (size_t i = 0; i < tags.len && !found; i++)
		found = xb_digest_eq(&tags.items[i].descriptor.digest, root);
	return found;
}

/*
 * What a tag names is on the disk before the tag is. What another tag names has been since that was
 * set, as in a build in which nothing changed: no clock says so, since clocks jump.
 */
static int make_durable(struct xb_store *store, const struct xb_digest *root, struct xb_error *err)
{
	bool waiting = false;
	int r = xb_durable_waiting(store, &waiting, err);

	if (r < 0 || (!waiting && is_tagged(store, root)))
		return r;
	return xb_durable_sync(store, err);
}

int xb_tag_set(struct xb_store *store, const char *name, const struct xb_descriptor *descriptor,
	       struct xb_error *err)
{
	xb_auto_guard int guard = xb_guard_take(store, false, err);
	int r = guard;

	if (r >= 0)
		r = xb_hold_blob(store, &descriptor->digest, err);
	if (r < 0)
		return r;
	if (!xb_layout_blob_exists(store->layout, &descriptor->digest, descriptor->size))
		return xb_store_errno(err, -ENOENT, "tagging %s as %s", descriptor->digest.text,
				      name);
	r = make_durable(store, &descriptor->digest, err);
	if (r < 0)
		return r;
	r = xb_layout_tag(store->layout, descriptor, name, true, err);
	if (r < 0)
		return xb_store_wrap(err, r, "tagging %s", name);
	xb_mend_keep_index(store);
	return 0;
}

int xb_tag_remove(struct xb_store *store, const char *name, struct xb_error *err)
{
	xb_auto_guard int guard = xb_guard_take(store, false, err);
	int r = guard;

	if (r < 0)
		return r;
	r = xb_layout_untag(store->layout, name, true, err);
	if (r < 0)
		return xb_store_wrap(err, r, "untagging %s", name);
	xb_mend_keep_index(store);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct xb_tag *)a)->name, ((const struct xb_tag *)b)->name);
}

int xb_tag_list(struct xb_store *store, struct xb_tags *ret, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	int r = xb_layout_index(store->layout, &index, err);

	if (r < 0)
		return xb_store_wrap(err, r, "listing the tags of %s", store->root);
	for (size_t i = 0; i < index.manifests.len; i++) {
		const struct xb_descriptor *d = &index.manifests.items[i];
		const char *name = xb_annotations_get(&d->annotations, XB_ANNOTATION_REF_NAME);
		struct xb_tag *tag;

		if (name == NULL)
			continue;
		tag = xb_array_push(ret);
		tag->name = xb_strdup(name);
		xb_descriptor_copy(&tag->descriptor, d);
	}
	if (ret->len > 0)
		qsort(ret->items, ret->len, sizeof(*ret->items), compare);
	return 0;
}

int xb_tag_get(struct xb_store *store, const char *name, struct xb_descriptor *ret,
	       struct xb_error *err)
{
	xb_auto_tags struct xb_tags tags = { 0 };
	int r = xb_tag_list(store, &tags, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < tags.len; i++) {
		if (strcmp(tags.items[i].name, name) != 0)
			continue;
		xb_descriptor_copy(ret, &tags.items[i].descriptor);
		return 0;
	}
	xb_error_set(err, -ENOENT, "no image is tagged %s", name);
	xb_error_fault(err, XB_FAULT_STORE);
	xb_error_hint(err, "`xbuild images` lists the tags");
	return -ENOENT;
}
