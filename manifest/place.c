/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/place.h"

#include <errno.h>

void xb_place_free(struct xb_place *place)
{
	if (place != NULL && place->ops->free != NULL)
		place->ops->free(place);
}

static int fill(void *context, const struct xb_blob_sink *sink, struct xb_error *err)
{
	const struct xb_place_blob *blob = context;

	return blob->place->ops->get(blob->place, blob->descriptor, sink, err);
}

int xb_place_blob_open(struct xb_place *place, const struct xb_descriptor *descriptor,
		       struct xb_place_blob *blob, struct xb_error *err)
{
	int r = -EREMOTE;

	blob->place = place;
	blob->descriptor = descriptor;
	if (place->ops->open != NULL)
		r = place->ops->open(place, descriptor, &blob->fd, err);
	if (r == 0)
		blob->source = xb_blob_source_file(&blob->fd);
	if (r != -EREMOTE)
		return r;
	blob->pipe = xb_pipe_new(fill, blob);
	blob->source = xb_pipe_source(blob->pipe);
	return 0;
}

void xb_place_blob_close(struct xb_place_blob *blob)
{
	xb_pipe_free(blob->pipe);
	xb_cleanup_fd(&blob->fd);
	*blob = XB_PLACE_BLOB_INIT;
}

/* A blob's source that somebody watches. */
struct watched {
	const struct xb_blob_source *source;
	const struct xb_descriptor *blob;
	const struct xb_transfer_watch *watch;
};

static ssize_t read_watched(void *context, uint64_t offset, void *data, size_t size,
			    struct xb_error *err)
{
	const struct watched *w = context;
	ssize_t got = w->source->read(w->source->context, offset, data, size, err);

	if (got > 0)
		w->watch->moving(w->watch->context, w->blob, offset + (uint64_t)got);
	return got;
}

static int copy_bytes(struct xb_place *to, struct xb_place *from, const struct xb_descriptor *blob,
		      const struct xb_transfer_watch *watch, struct xb_error *err)
{
	xb_auto_place_blob struct xb_place_blob bytes = XB_PLACE_BLOB_INIT;
	struct watched watched = { .source = &bytes.source, .blob = blob, .watch = watch };
	const struct xb_blob_source told = { .context = &watched, .read = read_watched };
	int r = xb_place_blob_open(from, blob, &bytes, err);

	if (r < 0)
		return r;
	return to->ops->put(to, blob, watch->moving != NULL ? &told : &bytes.source, err);
}

static int mount(struct xb_place *to, struct xb_place *from, const struct xb_descriptor *blob,
		 bool *ret, struct xb_error *err)
{
	struct xb_place *origin;
	int r = 0;

	if (to->ops->mount == NULL)
		return 0;
	if (from->ops->origin == NULL)
		return to->ops->mount(to, from, blob, ret, err);
	for (size_t i = 0; r == 0 && !*ret; i++) {
		origin = from->ops->origin(from, blob, i);
		if (origin == NULL)
			break;
		r = to->ops->mount(to, origin, blob, ret, err);
	}
	return r;
}

int xb_place_copy_blob(struct xb_place *to, struct xb_place *from, const struct xb_descriptor *blob,
		       const struct xb_transfer_watch *watch, struct xb_error *err)
{
	enum xb_transfer_way way = XB_TRANSFER_THERE;
	bool there = false;
	int r = to->ops->has(to, blob, &there, err);

	if (r == 0 && !there) {
		r = mount(to, from, blob, &there, err);
		way = there ? XB_TRANSFER_MOUNTED : XB_TRANSFER_MOVED;
	}
	if (r == 0 && !there)
		r = copy_bytes(to, from, blob, watch, err);
	if (r == 0 && watch->done != NULL)
		watch->done(watch->context, blob, way);
	return r;
}
