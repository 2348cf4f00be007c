/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/place_layout.h"

#include <errno.h>

#include "base/file.h"

static const struct xb_layout_place *own(const struct xb_place *place)
{
	return (const struct xb_layout_place *)place;
}

static int layout_resolve(struct xb_place *place, const char *name, struct xb_descriptor *ret,
			  struct xb_error *err)
{
	return xb_layout_resolve(own(place)->layout, name, ret, err);
}

static int layout_read(struct xb_place *place, const struct xb_descriptor *document, size_t limit,
		       struct xb_str *text, struct xb_error *err)
{
	return xb_layout_blob_read(own(place)->layout, document, limit, text, err);
}

static int layout_has(struct xb_place *place, const struct xb_descriptor *blob, bool *ret,
		      struct xb_error *err)
{
	(void)err;
	*ret = xb_layout_blob_exists(own(place)->layout, &blob->digest, blob->size);
	return 0;
}

static int layout_open(struct xb_place *place, const struct xb_descriptor *blob, int *ret_fd,
		       struct xb_error *err)
{
	return xb_layout_blob_open(own(place)->layout, &blob->digest, blob->size, ret_fd, err);
}

static int layout_check(struct xb_place *place, const struct xb_descriptor *blob,
			struct xb_error *err)
{
	xb_auto_fd int fd = -1;

	return layout_open(place, blob, &fd, err);
}

static int layout_get(struct xb_place *place, const struct xb_descriptor *blob,
		      const struct xb_blob_sink *sink, struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	struct xb_blob_source source = xb_blob_source_file(&fd);
	int r = layout_open(place, blob, &fd, err);

	return r < 0 ? r : xb_blob_pump_verified(&source, &blob->digest, place->name, sink, err);
}

static int write_piece(void *context, const void *data, size_t len, struct xb_error *err)
{
	return xb_blob_writer_write(context, data, len, err);
}

static int layout_put(struct xb_place *place, const struct xb_descriptor *blob,
		      const struct xb_blob_source *source, struct xb_error *err)
{
	const struct xb_layout_place *to = own(place);
	xb_auto_blob_writer struct xb_blob_writer *w = NULL;
	int r = xb_blob_writer_new(to->writable, &blob->digest, blob->size, &w, err);

	if (r == 0) {
		const struct xb_blob_sink sink = { .context = w, .write = write_piece };

		r = xb_blob_pump(source, &sink, err);
	}
	return r < 0 ? r : xb_blob_writer_commit(w, to->sync, NULL, NULL, err);
}

static int layout_put_document(struct xb_place *place, const struct xb_descriptor *document,
			       struct xb_view bytes, struct xb_error *err)
{
	const struct xb_layout_place *to = own(place);
	xb_auto_blob_writer struct xb_blob_writer *w = NULL;
	int r = xb_blob_writer_new(to->writable, &document->digest, document->size, &w, err);

	if (r == 0)
		r = xb_blob_writer_write(w, bytes.data, bytes.len, err);
	return r < 0 ? r : xb_blob_writer_commit(w, to->sync, NULL, NULL, err);
}

static int layout_tag(struct xb_place *place, const char *tag, const struct xb_descriptor *document,
		      struct xb_view bytes, struct xb_error *err)
{
	const struct xb_layout_place *to = own(place);

	(void)bytes; /* they are there under their digest */
	return xb_layout_tag(to->writable, document, tag, to->sync, err);
}

static int layout_tags(struct xb_place *place, struct xb_strv *ret, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	int r = xb_layout_index(own(place)->layout, &index, err);

	for (size_t i = 0; r == 0 && i < index.manifests.len; i++) {
		const char *tag = xb_annotations_get(&index.manifests.items[i].annotations,
						     XB_ANNOTATION_REF_NAME);

		if (tag != NULL)
			xb_strv_push(ret, tag);
	}
	return r;
}

static int layout_untag(struct xb_place *place, const char *tag,
			const struct xb_descriptor *document, struct xb_error *err)
{
	const struct xb_layout_place *to = own(place);

	(void)document;
	return xb_layout_untag(to->writable, tag, to->sync, err);
}

const struct xb_place_ops xb_layout_place_ops = {
	.resolve = layout_resolve,
	.read = layout_read,
	.has = layout_has,
	.check = layout_check,
	.get = layout_get,
	.open = layout_open,
	.put = layout_put,
	.put_document = layout_put_document,
	.tag = layout_tag,
	.tags = layout_tags,
	.untag = layout_untag,
};

struct xb_layout_place xb_layout_place(const struct xb_layout *layout)
{
	return (struct xb_layout_place){
		.place = { .ops = &xb_layout_place_ops, .name = xb_layout_path(layout) },
		.layout = layout,
	};
}

struct xb_layout_place xb_layout_place_rw(struct xb_layout *layout, bool sync)
{
	struct xb_layout_place place = xb_layout_place(layout);

	place.writable = layout;
	place.sync = sync;
	return place;
}
