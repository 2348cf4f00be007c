/* SPDX-License-Identifier: Apache-2.0 */
/* Writing image archives from places. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/layer/image_archive.h"
#include "builder/layer/tarwrite.h"
#include "manifest/manifest.h"
#include "manifest/media.h"

/* Bytes of a member on their way to the file. */
struct writing {
	int fd;
	uint64_t done, left;
};

static int write_piece(void *context, const void *data, size_t len, struct xb_error *err)
{
	struct writing *w = context;

	/* whoever gives more than the header says would damage the archive */
	if (len > w->left)
		return xb_error_set(err, -EBADMSG, "there is more of it than its descriptor says");
	w->left -= len;
	w->done += len;
	return xb_write_all(w->fd, data, len, err);
}

/* A registry keeps documents and blobs apart. */
static int write_document(struct xb_place *from, const struct xb_descriptor *d, struct writing *w,
			  struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	int r = from->ops->read(from, d, XB_MAX_MANIFEST, &text, err);

	return r < 0 ? r : write_piece(w, text.data, text.len, err);
}

/* The bytes come again from their start, over those that are there. */
static int write_again(void *context, struct xb_error *err)
{
	struct writing *w = context;

	if (lseek(w->fd, -(off_t)w->done, SEEK_CUR) < 0)
		return xb_error_errno(err, -errno, "going back in the archive");
	w->left += w->done;
	w->done = 0;
	return 0;
}

static int write_blob(const struct xb_export_file *file, struct xb_place *from, struct writing *w,
		      struct xb_error *err)
{
	const struct xb_blob_sink sink = { w, write_piece, write_again };
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	enum xb_media_kind kind = xb_media_kind(file->media_type);
	int r;

	xb_descriptor_init(&d, file->media_type, &file->blob, file->size);
	r = kind == XB_MEDIA_INDEX || kind == XB_MEDIA_MANIFEST
		    ? write_document(from, &d, w, err)
		    : from->ops->get(from, &d, &sink, err);
	if (r == 0 && w->left > 0)
		return xb_error_set(err, -EBADMSG, "there is less of it than its descriptor says");
	return r;
}

static int write_member(const struct xb_export_file *file, struct xb_place *from, int out_fd,
			struct xb_error *err)
{
	static const char zeros[XB_TAR_BLOCK];
	bool directory = file->source == XB_EXPORT_DIRECTORY;
	struct writing w = { .fd = out_fd, .left = file->size };
	xb_auto_str struct xb_str header = XB_STR_INIT(XB_STR_OWN);
	const struct xb_tar_entry entry = {
		.name = file->name,
		.type = directory ? XB_TAR_DIRECTORY : XB_TAR_FILE,
		.mode = directory ? 0755 : 0644,
		.size = file->size,
	};
	int r;

	xb_tar_header(&header, &entry);
	r = xb_write_all(out_fd, header.data, header.len, err);
	if (r == 0 && file->source == XB_EXPORT_MEMORY)
		r = write_piece(&w, file->data, file->size, err);
	else if (r == 0 && file->source == XB_EXPORT_BLOB)
		r = write_blob(file, from, &w, err);
	return r < 0 ? r : xb_write_all(out_fd, zeros, xb_tar_padding(file->size), err);
}

int xb_archive_write(const struct xb_export *files, struct xb_place *from, int out_fd,
		     struct xb_error *err)
{
	static const char end[2 * XB_TAR_BLOCK];

	for (size_t i = 0; i < files->len; i++) {
		int r = write_member(&files->items[i], from, out_fd, err);

		if (r < 0)
			return xb_error_wrap(err, r, "writing %s into an archive",
					     files->items[i].name);
	}
	return xb_write_all(out_fd, end, sizeof(end), err);
}
