/* SPDX-License-Identifier: Apache-2.0 */
/* The blobs of a layout. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/file.h"
#include "manifest/layout.h"

/* A blob's directory and path below the layout; digests are the only foreign text in a path. */
struct blob_path {
	char dir[32];
	char path[32 + sizeof(struct xb_digest)];
};

static struct blob_path path_of(const struct xb_digest *digest)
{
	struct xb_view algorithm = xb_digest_algorithm(digest);
	struct blob_path p;

	(void)snprintf(p.dir, sizeof(p.dir), "blobs/%.*s", XB_VIEW_ARGS(algorithm));
	(void)snprintf(p.path, sizeof(p.path), "%s/%s", p.dir, xb_digest_hex(digest));
	return p;
}

static int wrap(const struct xb_layout *layout, const struct xb_digest *digest, int r,
		struct xb_error *err)
{
	r = xb_error_wrap(err, r, "blob %s of %s", digest->text, xb_layout_path(layout));
	if (r == -ENOENT || r == -EBADMSG)
		(void)xb_error_hint(err, "the layout is incomplete or damaged: copy the image into "
					 "it again");
	return r;
}

/* Open a blob that is a regular file; links are not followed, FIFOs do not block. */
static int open_regular(const struct xb_layout *layout, const struct xb_digest *digest, int *ret_fd,
			uint64_t *ret_size, struct xb_error *err)
{
	struct blob_path p = path_of(digest);
	struct stat st;
	xb_auto_fd int fd = -1;

	if (xb_digest_empty(digest))
		return xb_error_set(err, -EBADMSG, "a blob without a digest");
	fd = xb_open_beneath(xb_layout_dirfd(layout), p.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0,
			     NULL);
	if (fd == -ENOENT)
		return xb_error_set(err, fd, "it is missing");
	if (fd == -ELOOP)
		return xb_error_set(err, fd, "it is a symbolic link");
	if (fd < 0)
		return xb_error_errno(err, fd, "opening it");
	if (fstat(fd, &st) < 0)
		return xb_error_errno(err, -errno, "opening it");
	if (!S_ISREG(st.st_mode))
		return xb_error_set(err, -EBADMSG, "it is not a regular file");
	*ret_fd = XB_STEAL_FD(fd);
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

static int open_sized(const struct xb_layout *layout, const struct xb_digest *digest, uint64_t size,
		      int *ret_fd, struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	uint64_t there = 0;
	int r = open_regular(layout, digest, &fd, &there, err);

	if (r < 0)
		return r;
	if (there != size)
		return xb_error_set(err, -EBADMSG, "it has %llu bytes, its descriptor says %llu",
				    (unsigned long long)there, (unsigned long long)size);
	*ret_fd = XB_STEAL_FD(fd);
	return 0;
}

int xb_layout_blob_open(const struct xb_layout *layout, const struct xb_digest *digest,
			uint64_t size, int *ret_fd, struct xb_error *err)
{
	int r = open_sized(layout, digest, size, ret_fd, err);

	return r < 0 ? wrap(layout, digest, r, err) : 0;
}

int xb_layout_blob_size(const struct xb_layout *layout, const struct xb_digest *digest,
			uint64_t *ret_size, struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	int r = open_regular(layout, digest, &fd, ret_size, err);

	return r < 0 ? wrap(layout, digest, r, err) : 0;
}

bool xb_layout_blob_exists(const struct xb_layout *layout, const struct xb_digest *digest,
			   uint64_t size)
{
	xb_auto_fd int fd = -1;

	return open_sized(layout, digest, size, &fd, NULL) == 0;
}

static int check_bytes(struct xb_view bytes, const struct xb_descriptor *descriptor,
		       struct xb_error *err)
{
	xb_auto_hasher struct xb_hasher *hasher = xb_hasher_new_like(&descriptor->digest);
	struct xb_digest digest;

	if (bytes.len != descriptor->size)
		return xb_error_set(err, -EBADMSG, "its size changed while it was read");
	xb_hasher_add(hasher, bytes.data, bytes.len);
	digest = xb_hasher_finish(hasher);
	if (!xb_digest_eq(&digest, &descriptor->digest))
		return xb_error_set(err, -EBADMSG, "its bytes have the digest %s", digest.text);
	return 0;
}

static int read_verified(const struct xb_layout *layout, const struct xb_descriptor *descriptor,
			 size_t limit, struct xb_str *text, struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	size_t before = text->len;
	int r;

	if (descriptor->size > limit)
		return xb_error_set(err, -EFBIG, "it has %llu bytes; at most %zu are read",
				    (unsigned long long)descriptor->size, limit);
	r = open_sized(layout, &descriptor->digest, descriptor->size, &fd, err);
	if (r < 0)
		return r;
	r = xb_file_read_fd(fd, text, err);
	if (r >= 0)
		r = check_bytes(xb_view_sub(xb_str_view(text), before, text->len), descriptor, err);
	if (r < 0)
		xb_str_truncate(text, before);
	return r;
}

int xb_layout_blob_read(const struct xb_layout *layout, const struct xb_descriptor *descriptor,
			size_t limit, struct xb_str *text, struct xb_error *err)
{
	int r = read_verified(layout, descriptor, limit, text, err);

	return r < 0 ? wrap(layout, &descriptor->digest, r, err) : 0;
}

/* writing */

struct xb_blob_writer {
	const struct xb_layout *layout; /* outlives the writer */
	int dirfd;			/* blobs/<algorithm> */
	int fd;
	char *temp; /* its name below dirfd while it has none of its own; NULL: it has no name */
	struct xb_hasher *hasher;
	bool expects;
	struct xb_digest expected;
	uint64_t expected_size;
	uint64_t size;
};

void xb_blob_writer_free(struct xb_blob_writer *w)
{
	if (w == NULL)
		return;
	if (w->temp != NULL)
		(void)unlinkat(w->dirfd, w->temp, 0);
	free(w->temp);
	xb_cleanup_fd(&w->fd);
	xb_cleanup_fd(&w->dirfd);
	xb_hasher_free(w->hasher);
	free(w);
}

/* Open blobs/<algorithm>, which is made when missing: layouts are made with sha256 alone. */
static int open_directory(const struct xb_layout *layout, const struct xb_digest *like,
			  struct xb_error *err)
{
	struct blob_path p = { .dir = "blobs/sha256" };
	int root = xb_layout_dirfd(layout), fd;
	struct stat st;

	if (like != NULL)
		p = path_of(like);
	fd = xb_open_beneath(root, p.dir, O_RDONLY | O_DIRECTORY, 0, NULL);
	if (fd == -ENOENT && fstat(root, &st) == 0 &&
	    (mkdirat(root, p.dir, st.st_mode & 0777) == 0 || errno == EEXIST))
		fd = xb_open_beneath(root, p.dir, O_RDONLY | O_DIRECTORY, 0, NULL);
	if (fd < 0)
		return xb_error_errno(err, fd, "%s/%s", xb_layout_path(layout), p.dir);
	return fd;
}

static char *random_name(void)
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		xb_die("no random bytes to be had");
	return xb_format(XB_FILE_TEMP_PREFIX "%016llx", (unsigned long long)random);
}

/* A file without a name leaves nothing behind when we are killed; not all file systems have it. */
static int open_file(struct xb_blob_writer *w, struct xb_error *err)
{
	struct stat st;

	w->fd = openat(w->dirfd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (w->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		w->temp = random_name();
		w->fd = openat(w->dirfd, w->temp, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		if (w->fd < 0)
			free(XB_STEAL(w->temp));
	}
	if (w->fd < 0)
		return xb_error_errno(err, -errno, "making a blob in %s",
				      xb_layout_path(w->layout));
	/* as for the layout's other files: who may read the directory may read it */
	if (fstat(w->dirfd, &st) < 0 || fchmod(w->fd, st.st_mode & 0666) < 0)
		return xb_error_errno(err, -errno, "setting the mode of a blob in %s",
				      xb_layout_path(w->layout));
	return 0;
}

int xb_blob_writer_new(struct xb_layout *layout, const struct xb_digest *expected,
		       uint64_t expected_size, struct xb_blob_writer **ret, struct xb_error *err)
{
	xb_auto_blob_writer struct xb_blob_writer *w = xb_calloc(1, sizeof(*w));
	int r;

	w->layout = layout;
	w->fd = -1;
	w->dirfd = open_directory(layout, expected, err);
	if (w->dirfd < 0)
		return w->dirfd;
	if (expected != NULL) {
		w->expects = true;
		w->expected = *expected;
		w->expected_size = expected_size;
	}
	w->hasher = expected != NULL ? xb_hasher_new_like(expected) : xb_hasher_new();
	r = open_file(w, err);
	if (r < 0)
		return r;
	*ret = XB_STEAL(w);
	return 0;
}

int xb_blob_writer_write(struct xb_blob_writer *w, const void *data, size_t len,
			 struct xb_error *err)
{
	int r;

	if (w->expects && len > w->expected_size - w->size)
		return xb_error_set(err, -EBADMSG, "blob %s: more than the %llu bytes expected",
				    w->expected.text, (unsigned long long)w->expected_size);
	r = xb_write_all(w->fd, data, len, err);
	if (r < 0)
		return xb_error_wrap(err, r, "writing a blob of %s", xb_layout_path(w->layout));
	xb_hasher_add(w->hasher, data, len);
	w->size += len;
	return 0;
}

/* Give a file without a name one. */
static int link_file(const struct xb_blob_writer *w, const char *name)
{
	char proc[32];

	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", w->fd);
	if (linkat(AT_FDCWD, proc, w->dirfd, name, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	return 0;
}

/* Give the file its name, replacing what has it. */
static int publish(struct xb_blob_writer *w, const char *name)
{
	int r;

	if (w->temp == NULL) {
		r = link_file(w, name);
		if (r != -EEXIST)
			return r;
		/* linkat() never replaces, renameat() does */
		w->temp = random_name();
		r = link_file(w, w->temp);
		if (r < 0) {
			free(XB_STEAL(w->temp));
			return r;
		}
	}
	if (renameat(w->dirfd, w->temp, w->dirfd, name) < 0)
		return -errno;
	free(XB_STEAL(w->temp));
	return 0;
}

/*
 * Bring the blob to the disk under its name: the one just written or, when there was a whole one
 * already, that one, since whoever wrote it may not have synced it.
 */
static int settle(struct xb_blob_writer *w, const struct xb_digest *digest, bool sync)
{
	struct xb_digest found;
	xb_auto_fd int old = -1;
	int r;

	if (open_sized(w->layout, digest, w->size, &old, NULL) == 0 &&
	    xb_digest_of_file(old, digest, &found) >= 0 && xb_digest_eq(digest, &found))
		return sync && (fsync(old) < 0 || fsync(w->dirfd) < 0) ? -errno : 0;
	if (sync && fsync(w->fd) < 0)
		return -errno;
	r = xb_file_flush(w->fd, NULL);
	if (r < 0)
		return r;
	r = publish(w, xb_digest_hex(digest));
	if (r < 0)
		return r;
	return sync && fsync(w->dirfd) < 0 ? -errno : 0;
}

int xb_blob_writer_commit(struct xb_blob_writer *w, bool sync, struct xb_digest *ret_digest,
			  uint64_t *ret_size, struct xb_error *err)
{
	struct xb_digest digest = xb_hasher_finish(w->hasher);
	int r;

	if (w->expects && w->size != w->expected_size)
		return xb_error_set(err, -EBADMSG, "blob %s: %llu bytes instead of %llu",
				    w->expected.text, (unsigned long long)w->size,
				    (unsigned long long)w->expected_size);
	if (w->expects && !xb_digest_eq(&digest, &w->expected))
		return xb_error_set(err, -EBADMSG, "blob %s: its bytes have the digest %s",
				    w->expected.text, digest.text);
	r = settle(w, &digest, sync);
	if (r < 0)
		return xb_error_errno(err, r, "storing blob %s in %s", digest.text,
				      xb_layout_path(w->layout));
	if (ret_digest != NULL)
		*ret_digest = digest;
	if (ret_size != NULL)
		*ret_size = w->size;
	return 0;
}

int xb_layout_add_bytes(struct xb_layout *layout, struct xb_view bytes, bool sync,
			struct xb_digest *ret, struct xb_error *err)
{
	xb_auto_blob_writer struct xb_blob_writer *w = NULL;
	int r = xb_blob_writer_new(layout, NULL, 0, &w, err);

	if (r < 0)
		return r;
	r = xb_blob_writer_write(w, bytes.data, bytes.len, err);
	if (r < 0)
		return r;
	return xb_blob_writer_commit(w, sync, ret, NULL, err);
}

int xb_layout_add_fd(struct xb_layout *layout, int fd, const struct xb_digest *digest,
		     uint64_t size, bool sync, struct xb_error *err)
{
	xb_auto_blob_writer struct xb_blob_writer *w = NULL;
	int r = xb_blob_writer_new(layout, digest, size, &w, err);

	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return xb_error_errno(err, -errno, "blob %s", digest->text);
	r = xb_copy_data(fd, w->fd, size, err);
	if (r < 0)
		return xb_error_wrap(err, r, "copying blob %s to %s", digest->text,
				     xb_layout_path(layout));
	w->size = size;
	r = settle(w, digest, sync);
	if (r < 0)
		return xb_error_errno(err, r, "storing blob %s in %s", digest->text,
				      xb_layout_path(layout));
	return 0;
}

/* Read all of `fd` into the writer. */
static int pump(int fd, struct xb_blob_writer *w, struct xb_error *err)
{
	enum { PIECE = 1 << 18 };
	xb_autofree char *buffer = xb_alloc(PIECE);
	ssize_t n;
	int r;

	while ((n = xb_read_full(fd, buffer, PIECE, err)) > 0) {
		r = xb_blob_writer_write(w, buffer, (size_t)n, err);
		if (r < 0)
			return r;
	}
	return (int)n;
}

int xb_layout_add_blob(struct xb_layout *layout, const struct xb_layout *from,
		       const struct xb_digest *digest, uint64_t size, bool sync,
		       struct xb_error *err)
{
	xb_auto_blob_writer struct xb_blob_writer *w = NULL;
	xb_auto_fd int fd = -1;
	int r;

	if (xb_layout_blob_exists(layout, digest, size))
		return 0;
	r = xb_layout_blob_open(from, digest, size, &fd, err);
	if (r < 0)
		return r;
	r = xb_blob_writer_new(layout, digest, size, &w, err);
	if (r < 0)
		return r;
	r = pump(fd, w, err);
	if (r >= 0)
		r = xb_blob_writer_commit(w, sync, NULL, NULL, err);
	if (r < 0)
		return xb_error_wrap(err, r, "copying from %s", xb_layout_path(from));
	return 0;
}

int xb_layout_sync(const struct xb_layout *layout, struct xb_error *err)
{
	if (syncfs(xb_layout_dirfd(layout)) < 0)
		return xb_error_errno(err, -errno, "syncing %s", xb_layout_path(layout));
	return 0;
}
