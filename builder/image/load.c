/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/image/load.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/pool.h"

/* What the threads have in common. */
struct loading {
	const struct xb_image_source *how;
	const struct xb_manifest *manifest;
	const struct xb_digest *diff_ids;
	int *surveys; /* of each layer a file, or -1 */
	size_t count;
};

static void loading_clear(struct loading *loading)
{
	for (size_t i = 0; i < loading->count; i++)
		xb_cleanup_fd(&loading->surveys[i]);
	free(loading->surveys);
}

static int write_to(void *context, const void *data, size_t len, struct xb_error *err)
{
	const int *fd = context;

	return xb_write_all(*fd, data, len, err);
}

static int write_anew(void *context, struct xb_error *err)
{
	const int *fd = context;

	if (lseek(*fd, 0, SEEK_SET) < 0 || ftruncate(*fd, 0) < 0)
		return xb_error_errno(err, -errno, "beginning a layer anew");
	return 0;
}

/* The blob as a file: the place's own, or a copy without a name. */
static int open_blob(const struct xb_image_source *how, const struct xb_descriptor *blob, int *ret,
		     struct xb_error *err)
{
	xb_auto_fd int copy = -1;
	int r = -EREMOTE;

	if (how->place->ops->open != NULL)
		r = how->place->ops->open(how->place, blob, ret, err);
	if (r != -EREMOTE)
		return r;
	copy = xb_file_unnamed(how->scratch, err);
	r = copy;
	if (r >= 0)
		r = how->place->ops->get(how->place, blob,
					 &(struct xb_blob_sink){ .context = &copy,
								 .write = write_to,
								 .restart = write_anew },
					 err);
	if (r >= 0)
		*ret = XB_STEAL_FD(copy);
	return r < 0 ? r : 0;
}

static int survey(void *context, size_t number, struct xb_error *err)
{
	const struct loading *l = context;
	const struct xb_descriptor *blob = &l->manifest->layers.items[number];
	const struct xb_unpack_layer layer = { .media_type = blob->media_type,
					       .size = blob->size,
					       .digest = blob->digest,
					       .diff_id = l->diff_ids[number] };
	xb_auto_fd int fd = -1, scratch = -1, out = -1;
	int r = open_blob(l->how, blob, &fd, err);

	if (r >= 0)
		r = scratch = xb_file_unnamed(l->how->scratch, err);
	if (r >= 0)
		r = out = xb_file_unnamed(l->how->scratch, err);
	if (r >= 0)
		r = xb_layer_survey(fd, &layer, l->how->digests, scratch, out, l->how->limits, err);
	if (r < 0)
		return xb_error_wrap(err, r, "layer %s", blob->digest.text);
	l->surveys[number] = XB_STEAL_FD(out);
	return 0;
}

static int put_on(struct xb_image_tree *tree, int fd, struct xb_error *err)
{
	struct stat st;
	void *bytes;
	int r;

	if (fstat(fd, &st) < 0)
		return xb_error_errno(err, -errno, "reading what a layer holds");
	bytes = st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
			       : MAP_FAILED;
	if (bytes == MAP_FAILED)
		return xb_error_set(err, -EBADMSG, "nothing is told of what a layer holds");
	r = xb_image_tree_add(tree, (struct xb_view){ bytes, (size_t)st.st_size }, err);
	(void)munmap(bytes, (size_t)st.st_size);
	return r;
}

int xb_image_tree_load(const struct xb_image_source *how, const struct xb_manifest *manifest,
		       const struct xb_digest *diff_ids, size_t diff_ids_len,
		       struct xb_image_tree **ret, struct xb_error *err)
{
	XB_CLEANUP(loading_clear)
	struct loading l = { .how = how, .manifest = manifest, .diff_ids = diff_ids };
	xb_auto_image_tree struct xb_image_tree *tree = xb_image_tree_new();
	int r;

	if (diff_ids_len != manifest->layers.len)
		return xb_error_set(err, -EBADMSG, "its config tells of %zu layers, it has %zu",
				    diff_ids_len, manifest->layers.len);
	l.count = manifest->layers.len;
	l.surveys = xb_calloc(l.count + 1, sizeof(*l.surveys));
	for (size_t i = 0; i < l.count; i++)
		l.surveys[i] = -1;
	r = xb_pool_each(l.count, survey, &l, err);
	for (size_t i = 0; r >= 0 && i < l.count; i++) {
		r = put_on(tree, l.surveys[i], err);
		if (r < 0)
			(void)xb_error_wrap(err, r, "layer %s",
					    manifest->layers.items[i].digest.text);
	}
	if (r < 0)
		return r;
	*ret = XB_STEAL(tree);
	return 0;
}
