/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/reach.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manifest/layout.h"
#include "manifest/manifest.h"
#include "manifest/media.h"

static char present;

void xb_reach_clear(struct xb_reach *reach)
{
	xb_map_free(reach->digests);
	xb_descriptors_clear(&reach->queue);
	*reach = (struct xb_reach){ 0 };
}

static void reach_add(struct xb_reach *reach, const struct xb_descriptor *d)
{
	if (d->media_type != NULL &&
	    xb_map_set(reach->digests, xb_view(d->digest.text), &present) == NULL)
		(void)xb_descriptors_add(&reach->queue, d);
}

static void reach_all(struct xb_reach *reach, const struct xb_descriptors *v)
{
	for (size_t i = 0; i < v->len; i++)
		reach_add(reach, &v->items[i]);
}

static void reach_index(struct xb_reach *reach, struct xb_view text, const char *type)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;

	if (xb_index_parse(text, type, &index, NULL) >= 0)
		reach_all(reach, &index.manifests);
}

static void reach_manifest(struct xb_reach *reach, struct xb_view text, const char *type)
{
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;

	if (xb_manifest_parse(text, type, &manifest, NULL) < 0)
		return;
	reach_add(reach, &manifest.config);
	reach_all(reach, &manifest.layers);
}

/*
 * A document that is missing or broken reaches nothing: it is of no use to its tag either. One that
 * cannot be read just now (no descriptor left, an I/O error) still does, nobody knows what.
 */
static bool is_broken(int r)
{
	return r == -ENOENT || r == -EBADMSG || r == -EFBIG || r == -ELOOP;
}

static int reach_document(const struct xb_store *store, struct xb_reach *reach,
			  const struct xb_descriptor *d, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	enum xb_media_kind kind = xb_media_kind(d->media_type);
	xb_auto_error struct xb_error why = XB_ERROR_INIT;
	int r;

	if (kind != XB_MEDIA_INDEX && kind != XB_MEDIA_MANIFEST)
		return 0;
	r = xb_layout_blob_read(store->layout, d, XB_MAX_MANIFEST, &text, &why);
	if (r < 0 && !is_broken(r))
		xb_error_move(err, &why);
	if (r < 0)
		return is_broken(r) ? 0 : r;
	if (kind == XB_MEDIA_INDEX)
		reach_index(reach, xb_str_view(&text), d->media_type);
	else
		reach_manifest(reach, xb_str_view(&text), d->media_type);
	return 0;
}

/* The size of a held blob that may be a document, else 0; negative when it cannot be read. */
static int64_t document_size(const struct xb_store *store, const struct xb_digest *digest)
{
	struct xb_view algorithm = xb_digest_algorithm(digest);
	xb_autofree char *path =
		xb_format("%.*s/%s", XB_VIEW_ARGS(algorithm), xb_digest_hex(digest));
	xb_auto_fd int fd =
		openat(store->blobs, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	ssize_t n;
	char first;

	if (fd < 0)
		return is_broken(-errno) ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > XB_MAX_MANIFEST)
		return 0;
	n = read(fd, &first, 1);
	if (n < 0)
		return -errno;
	return n == 1 && first == '{' ? (int64_t)st.st_size : 0;
}

struct held_visit {
	const struct xb_store *store;
	struct xb_reach *reach;
	struct xb_error *err;
};

/* A build that has made an index and not tagged it yet holds the index alone. */
static int reach_held(void *context, const char *line, void *value)
{
	struct held_visit *visit = context;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	struct xb_digest digest;
	int64_t size;
	int r;

	(void)value;
	if (strncmp(line, "b ", 2) != 0 || xb_digest_parse(xb_view(line + 2), &digest, NULL) < 0)
		return 0;
	size = document_size(visit->store, &digest);
	if (size < 0)
		return xb_store_errno(visit->err, (int)size, "reading the blob %s", digest.text);
	if (size == 0)
		return 0;
	xb_descriptor_init(&d, XB_MEDIA_OCI_INDEX, &digest, (uint64_t)size);
	r = xb_layout_blob_read(visit->store->layout, &d, XB_MAX_MANIFEST, &text, NULL);
	if (r < 0 && !is_broken(r))
		return xb_store_errno(visit->err, r, "reading the blob %s", digest.text);
	if (r >= 0) {
		reach_index(visit->reach, xb_str_view(&text), NULL);
		reach_manifest(visit->reach, xb_str_view(&text), NULL);
	}
	return 0;
}

/* The queue grows, hence moves, while it is read. */
static int follow(struct xb_store *store, struct xb_reach *reach, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < reach->queue.len; i++) {
		xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;

		xb_descriptor_copy(&d, &reach->queue.items[i]);
		r = reach_document(store, reach, &d, err);
	}
	return r;
}

int xb_reach_from(struct xb_store *store, const struct xb_descriptor *root, struct xb_reach *ret,
		  struct xb_error *err)
{
	*ret = (struct xb_reach){ .digests = xb_map_new() };
	reach_add(ret, root);
	return follow(store, ret, err);
}

int xb_reach_roots(struct xb_store *store, const struct xb_sweep *sweep, struct xb_reach *ret,
		   struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	struct held_visit visit = { .store = store, .reach = ret, .err = err };
	int r = xb_layout_index(store->layout, &index, err);

	*ret = (struct xb_reach){ .digests = xb_map_new() };
	if (r < 0)
		return r;
	reach_all(ret, &index.manifests);
	r = xb_map_each(sweep->held, reach_held, &visit);
	return r < 0 ? r : follow(store, ret, err);
}

bool xb_reach_has(const struct xb_reach *reach, const char *digest)
{
	return xb_map_get(reach->digests, xb_view(digest)) != NULL;
}
