/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "builder/cache/hashed.h"
#include "builder/cache/lease.h"
#include "builder/cache/state.h"

/* What helps when a blob of the store has been damaged. */
#define ANEW "`xbuild build --no-cache` makes it anew"

struct xb_ingest {
	struct xb_store *store;
	int fd;
	char *name; /* below ingest/; NULL once published */
	struct xb_hasher *hasher;
	uint64_t size; /* bytes that went through the hasher */
};

/* "sha256/<hex>": a valid digest makes a safe path. */
static char *blob_path(const struct xb_digest *digest)
{
	struct xb_view algorithm = xb_digest_algorithm(digest);

	return xb_format("%.*s/%s", XB_VIEW_ARGS(algorithm), xb_digest_hex(digest));
}

int xb_blob_begin(struct xb_store *store, struct xb_ingest **ret, struct xb_error *err)
{
	xb_auto_ingest struct xb_ingest *ingest = xb_calloc(1, sizeof(*ingest));

	ingest->store = store;
	ingest->name = xb_store_ingest_name(store);
	ingest->hasher = xb_hasher_new();
	ingest->fd = openat(store->ingest, ingest->name,
			    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (ingest->fd < 0)
		return xb_store_errno(err, -errno, "starting a blob in %s", store->root);
	*ret = XB_STEAL(ingest);
	return 0;
}

int xb_ingest_fd(const struct xb_ingest *ingest)
{
	return ingest->fd;
}

int xb_ingest_write(struct xb_ingest *ingest, const void *data, size_t len, struct xb_error *err)
{
	int r = xb_write_all(ingest->fd, data, len, NULL);

	if (r < 0)
		return xb_store_errno(err, r, "writing a blob to %s", ingest->store->root);
	xb_hasher_add(ingest->hasher, data, len);
	ingest->size += len;
	return 0;
}

void xb_ingest_free(struct xb_ingest *ingest)
{
	if (ingest == NULL)
		return;
	if (ingest->fd >= 0 && ingest->name != NULL)
		(void)unlinkat(ingest->store->ingest, ingest->name, 0);
	xb_cleanup_fd(&ingest->fd);
	xb_hasher_free(ingest->hasher);
	free(ingest->name);
	free(ingest);
}

/* The size of a blob, or -ENOENT; -ELOOP and such for what is no regular file. */
static int64_t blob_size(const struct xb_store *store, const char *path)
{
	struct stat st;

	if (fstatat(store->blobs, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? (int64_t)st.st_size : -EINVAL;
}

static int open_algorithm(const struct xb_store *store, const struct xb_digest *digest)
{
	xb_autofree char *name = xb_view_dup(xb_digest_algorithm(digest));
	int fd;

	if (mkdirat(store->blobs, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(store->blobs, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The size of a blob that is there and now held, else negative. */
static int64_t held_size(struct xb_store *store, const struct xb_digest *digest)
{
	xb_autofree char *path = blob_path(digest);
	xb_auto_guard int guard = xb_guard_take(store, false, NULL);

	/* without lock or hold it may go away at once: then it is as good as absent */
	if (guard < 0 || xb_hold_blob(store, digest, NULL) < 0)
		return -ENOENT;
	return blob_size(store, path);
}

/*
 * Whether the blob is there already, and whole. Then it stays: it may be on the disk, where a tag
 * relies on it, and ours is not yet.
 */
static bool is_there(struct xb_store *store, const struct xb_digest *digest, uint64_t size)
{
	return held_size(store, digest) == (int64_t)size &&
	       xb_blob_verify(store, digest, NULL) >= 0;
}

/* Rename the file to its place, over one that is damaged. */
static int publish(struct xb_ingest *ingest, const struct xb_digest *digest, struct xb_error *err)
{
	struct xb_store *store = ingest->store;
	xb_autofree char *path = blob_path(digest);
	xb_auto_guard int guard = xb_guard_take(store, false, err);
	int r = guard;

	if (r >= 0)
		r = xb_hold_blob(store, digest, err);
	if (r < 0)
		return r;
	if (renameat(store->ingest, ingest->name, store->blobs, path) < 0)
		return xb_store_errno(err, -errno, "publishing the blob %s", digest->text);
	free(XB_STEAL(ingest->name));
	xb_blob_hashed_note(store, digest, ingest->fd);
	return 0;
}

int xb_blob_commit_as(struct xb_ingest *ingest, const struct xb_digest *digest, uint64_t size,
		      struct xb_error *err)
{
	xb_auto_fd int dir = -1;
	struct stat st;
	int r;

	if (fstat(ingest->fd, &st) < 0)
		return xb_store_errno(err, -errno, "publishing a blob in %s", ingest->store->root);
	if ((uint64_t)st.st_size != size) {
		(void)xb_error_set(err, -EBADMSG, "a blob of %llu bytes has %llu on disk",
				   (unsigned long long)size, (unsigned long long)st.st_size);
		return xb_error_fault(err, XB_FAULT_STORE);
	}
	r = xb_file_flush(ingest->fd, NULL);
	if (r < 0)
		return xb_store_errno(err, r, "writing a blob to %s", ingest->store->root);
	if (is_there(ingest->store, digest, size))
		return 0;
	dir = open_algorithm(ingest->store, digest);
	if (dir < 0)
		return xb_store_errno(err, dir, "publishing the blob %s", digest->text);
	return publish(ingest, digest, err);
}

static int wrong_digest(const struct xb_digest *expected, const struct xb_digest *found,
			struct xb_error *err)
{
	int r = xb_error_set(err, -EBADMSG, "the blob %s has the digest %s", expected->text,
			     found->text);

	xb_error_fault(err, XB_FAULT_STORE);
	return r;
}

int xb_blob_commit(struct xb_ingest *ingest, const struct xb_digest *expected,
		   struct xb_digest *ret, uint64_t *ret_size, struct xb_error *err)
{
	struct xb_digest digest = xb_hasher_finish(ingest->hasher);
	int r;

	if (expected != NULL && !xb_digest_eq(&digest, expected))
		return wrong_digest(expected, &digest, err);
	r = xb_blob_commit_as(ingest, &digest, ingest->size, err);
	if (r < 0)
		return r;
	if (ret != NULL)
		*ret = digest;
	if (ret_size != NULL)
		*ret_size = ingest->size;
	return 0;
}

bool xb_blob_has(struct xb_store *store, const struct xb_digest *digest)
{
	return held_size(store, digest) >= 0;
}

bool xb_blob_exists(const struct xb_store *store, const struct xb_digest *digest)
{
	xb_autofree char *path = blob_path(digest);

	return blob_size(store, path) >= 0;
}

bool xb_blob_is_whole(struct xb_store *store, const struct xb_descriptor *blob)
{
	return held_size(store, &blob->digest) == (int64_t)blob->size;
}

static int check_file(int fd, const struct xb_digest *digest, struct xb_error *err)
{
	struct xb_digest found = { 0 };
	int r = xb_digest_of_file(fd, digest, &found);

	if (r < 0)
		return xb_store_errno(err, r, "reading the blob %s", digest->text);
	return xb_digest_eq(&found, digest) ? 0 : wrong_digest(digest, &found, err);
}

int xb_blob_put(struct xb_store *store, struct xb_view data, struct xb_digest *ret,
		struct xb_error *err)
{
	xb_auto_ingest struct xb_ingest *ingest = NULL;
	struct xb_digest digest = xb_digest_of(data.data, data.len);
	int r;

	if (!is_there(store, &digest, data.len)) {
		r = xb_blob_begin(store, &ingest, err);
		if (r >= 0)
			r = xb_ingest_write(ingest, data.data, data.len, err);
		if (r >= 0)
			r = xb_blob_commit(ingest, &digest, NULL, NULL, err);
		if (r < 0)
			return r;
	}
	if (ret != NULL)
		*ret = digest;
	return 0;
}

int xb_blob_import(struct xb_store *store, int fd, const struct xb_digest *digest, uint64_t size,
		   struct xb_error *err)
{
	xb_auto_ingest struct xb_ingest *ingest = NULL;
	int r;

	if (held_size(store, digest) == (int64_t)size)
		return 0;
	r = xb_blob_begin(store, &ingest, err);
	if (r >= 0)
		r = xb_copy_data(fd, ingest->fd, size, err);
	if (r < 0)
		return xb_store_wrap(err, r, "copying the blob %s", digest->text);
	r = check_file(ingest->fd, digest, err);
	/* nothing is done to make it again, as a step's is: it has to last */
	if (r >= 0 && fsync(ingest->fd) < 0)
		return xb_store_errno(err, -errno, "syncing a blob in %s", store->root);
	return r < 0 ? r : xb_blob_commit_as(ingest, digest, size, err);
}

int xb_blob_open(struct xb_store *store, const struct xb_digest *digest, int *ret_fd,
		 uint64_t *ret_size, struct xb_error *err)
{
	xb_autofree char *path = blob_path(digest);
	xb_auto_guard int guard = xb_guard_take(store, false, err);
	xb_auto_fd int fd = -1;
	struct stat st;
	int r = guard;

	if (r >= 0)
		r = xb_hold_blob(store, digest, err);
	if (r < 0)
		return r;
	fd = openat(store->blobs, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return xb_store_errno(err, -errno, "opening the blob %s", digest->text);
	if (!S_ISREG(st.st_mode))
		return xb_store_errno(err, -EINVAL, "opening the blob %s", digest->text);
	if (ret_size != NULL)
		*ret_size = (uint64_t)st.st_size;
	*ret_fd = XB_STEAL_FD(fd);
	return 0;
}

static int check_text(struct xb_view text, const struct xb_digest *digest, struct xb_error *err)
{
	xb_auto_hasher struct xb_hasher *hasher = xb_hasher_new_like(digest);
	struct xb_digest found;

	xb_hasher_add(hasher, text.data, text.len);
	found = xb_hasher_finish(hasher);
	if (xb_digest_eq(&found, digest))
		return 0;
	(void)wrong_digest(digest, &found, err);
	(void)xb_error_hint(err, "%s", ANEW);
	return -EBADMSG;
}

int xb_blob_read(struct xb_store *store, const struct xb_digest *digest, struct xb_str *text,
		 struct xb_error *err)
{
	size_t before = text->len;
	xb_auto_fd int fd = -1;
	int r = xb_blob_open(store, digest, &fd, NULL, err);

	if (r < 0)
		return r;
	r = xb_file_read_fd(fd, text, err);
	if (r >= 0)
		r = check_text(xb_view_sub(xb_str_view(text), before, text->len - before), digest,
			       err);
	if (r < 0) {
		xb_str_truncate(text, before);
		return xb_store_wrap(err, r, "reading the document %s", digest->text);
	}
	return 0;
}

int xb_blob_verify(struct xb_store *store, const struct xb_digest *digest, struct xb_error *err)
{
	xb_autofree char *path = blob_path(digest);
	xb_auto_fd int fd = -1;
	int r = xb_blob_open(store, digest, &fd, NULL, err);

	if (r >= 0)
		r = check_file(fd, digest, err);
	if (r >= 0)
		xb_blob_hashed_note(store, digest, fd);
	if (r == -EBADMSG) {
		(void)unlinkat(store->blobs, path, 0);
		(void)xb_error_hint(err, "%s", ANEW);
	}
	return r;
}
