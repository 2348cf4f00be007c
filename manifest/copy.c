/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/copy.h"

#include <errno.h>

#include "base/pool.h"
#include "manifest/image.h"
#include "manifest/manifest.h"
#include "manifest/media.h"

/* A copy on its way. */
struct copying {
	struct xb_place *to;
	struct xb_place *from;
	const struct xb_transfer_options *options;
	struct xb_descriptors blobs, manifests, indexes;
};

static void copying_clear(struct copying *c)
{
	xb_descriptors_clear(&c->blobs);
	xb_descriptors_clear(&c->manifests);
	xb_descriptors_clear(&c->indexes);
}

static int check_cancelled(const struct copying *c, struct xb_error *err)
{
	if (c->options->cancelled == NULL || !atomic_load(c->options->cancelled))
		return 0;
	(void)xb_error_set(err, -ECANCELED, "interrupted");
	return xb_error_fault(err, XB_FAULT_INTERRUPTED);
}

/* Sort what `root` needs into blobs, manifests and indexes, the latter inner ones first. */
static int gather(struct copying *c, const struct xb_descriptor *root, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors all = { 0 };
	int r = xb_image_blobs(c->from, root, &all, err);

	for (size_t i = 0; r == 0 && i < all.len; i++) {
		const struct xb_descriptor *d = &all.items[i];
		enum xb_media_kind kind = xb_media_kind(d->media_type);

		(void)xb_descriptors_add(kind == XB_MEDIA_INDEX	     ? &c->indexes
					 : kind == XB_MEDIA_MANIFEST ? &c->manifests
								     : &c->blobs,
					 d);
	}
	return r;
}

static int copy_blob(void *context, size_t number, struct xb_error *err)
{
	struct copying *c = context;
	const struct xb_descriptor *blob = &c->blobs.items[number];
	int r = check_cancelled(c, err);

	return r < 0 ? r : xb_place_copy_blob(c->to, c->from, blob, &c->options->watch, err);
}

static int copy_document(struct copying *c, const struct xb_descriptor *document,
			 struct xb_error *err)
{
	const struct xb_transfer_watch *watch = &c->options->watch;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	bool there = false;
	int r = check_cancelled(c, err);

	if (r == 0)
		r = c->to->ops->has(c->to, document, &there, err);
	if (r == 0 && !there)
		r = c->from->ops->read(c->from, document, XB_MAX_MANIFEST, &text, err);
	if (r == 0 && !there)
		r = c->to->ops->put_document(c->to, document, xb_str_view(&text), err);
	if (r == 0 && watch->done != NULL)
		watch->done(watch->context, document,
			    there ? XB_TRANSFER_THERE : XB_TRANSFER_MOVED);
	return r;
}

static int copy_manifest(void *context, size_t number, struct xb_error *err)
{
	struct copying *c = context;

	return copy_document(c, &c->manifests.items[number], err);
}

int xb_copy_image(struct xb_place *to, struct xb_place *from, const struct xb_descriptor *root,
		  const struct xb_transfer_options *options, struct xb_error *err)
{
	XB_CLEANUP(copying_clear)
	struct copying c = { .to = to, .from = from, .options = options };
	int r = gather(&c, root, err);

	if (r == 0)
		r = xb_pool_each(c.blobs.len, copy_blob, &c, err);
	if (r == 0)
		r = xb_pool_each(c.manifests.len, copy_manifest, &c, err);
	for (size_t i = 0; r == 0 && i < c.indexes.len; i++)
		r = copy_document(&c, &c.indexes.items[i], err);
	return r < 0 ? xb_error_wrap(err, r, "copying %s from %s to %s", root->digest.text,
				     from->name, to->name)
		     : 0;
}
