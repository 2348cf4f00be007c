/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h> /* renameat() */
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

enum { READ_CHUNK = 64 << 10 };

/* Headers older than Linux 6.3 do not know it. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static ssize_t read_retry(int fd, void *data, size_t len)
{
	ssize_t n;

	do
		n = read(fd, data, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int xb_write_all(int fd, const void *data, size_t len, struct xb_error *err)
{
	const char *bytes = data;

	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return xb_error_errno(err, -errno, "writing %zu bytes", len);
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t xb_read_full(int fd, void *data, size_t len, struct xb_error *err)
{
	char *bytes = data;
	size_t have = 0;

	while (have < len) {
		ssize_t n = read_retry(fd, bytes + have, len - have);

		if (n < 0)
			return xb_error_errno(err, (int)n, "reading %zu bytes", len);
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

int xb_file_read_fd(int fd, struct xb_str *text, struct xb_error *err)
{
	xb_autofree char *chunk = xb_alloc(READ_CHUNK);
	size_t before = text->len;
	ssize_t n;

	while ((n = read_retry(fd, chunk, READ_CHUNK)) > 0) {
		if (xb_str_append(text, chunk, (size_t)n) < 0) {
			xb_str_truncate(text, before);
			return xb_error_set(err, -EFBIG, "larger than %zu bytes",
					    text->max - before);
		}
	}
	if (n < 0) {
		xb_str_truncate(text, before);
		return xb_error_errno(err, (int)n, "reading");
	}
	return 0;
}

static int read_named(int dirfd, const char *path, int flags, struct xb_str *text,
		      struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	struct stat st;
	int r;

	/* O_NONBLOCK: a FIFO opens at once, and is then refused. */
	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
	if (fd < 0)
		return xb_error_errno(err, -errno, "%s", path);
	if (fstat(fd, &st) < 0)
		return xb_error_errno(err, -errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return xb_error_set(err, -EINVAL, "%s: not a regular file", path);
	r = xb_file_read_fd(fd, text, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s", path);
	return 0;
}

int xb_file_read(const char *path, struct xb_str *text, struct xb_error *err)
{
	return read_named(AT_FDCWD, path, 0, text, err);
}

int xb_file_read_at(int dirfd, const char *path, struct xb_str *text, struct xb_error *err)
{
	return read_named(dirfd, path, O_NOFOLLOW, text, err);
}

int xb_file_close(int *fd, struct xb_error *err)
{
	if (close(XB_STEAL_FD(*fd)) < 0)
		return xb_error_errno(err, -errno, "closing it");
	return 0;
}

int xb_file_flush(int fd, struct xb_error *err)
{
	/* each close of an open file flushes it */
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? xb_error_errno(err, -errno, "flushing it") : xb_file_close(&copy, err);
}

/* A half-written file, removed at the end of the scope unless `name` has been taken away. */
struct temp_file {
	int dirfd;
	int fd;
	char *name;
};

static void temp_file_clear(struct temp_file *t)
{
	xb_cleanup_fd(&t->fd);
	if (t->name != NULL)
		(void)unlinkat(t->dirfd, t->name, 0);
	free(XB_STEAL(t->name));
}

/* Length of what stands before the last component of `name`, its slash included. */
static size_t parent_len(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash != NULL ? (size_t)(slash - name) + 1 : 0;
}

static int temp_file_open(struct temp_file *t, const char *name, struct xb_error *err)
{
	uint64_t random;

	for (;;) {
		if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return xb_error_errno(err, -errno, "getting random bytes");
		t->name = xb_format("%.*s" XB_FILE_TEMP_PREFIX "%016llx", (int)parent_len(name),
				    name, (unsigned long long)random);
		t->fd = openat(t->dirfd, t->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (t->fd >= 0)
			break;
		/* Not ours: it must not be removed by the cleanup. */
		free(XB_STEAL(t->name));
		if (errno != EEXIST)
			return xb_error_errno(err, -errno, "making a file beside %s", name);
	}
	if (fchmod(t->fd, 0600) < 0)
		return xb_error_errno(err, -errno, "setting the mode of %s", t->name);
	return 0;
}

static int sync_parent(int dirfd, const char *name, struct xb_error *err)
{
	xb_autofree char *parent = xb_format("%.*s.", (int)parent_len(name), name);
	xb_auto_fd int fd = openat(dirfd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return xb_error_errno(err, -errno, "syncing the directory of %s", name);
	return 0;
}

int xb_file_write_at(int dirfd, const char *name,
		     int (*write)(void *context, int fd, struct xb_error *err), void *context,
		     bool sync, struct xb_error *err)
{
	XB_CLEANUP(temp_file_clear)
	struct temp_file temp = { .dirfd = dirfd, .fd = -1 };
	int r = temp_file_open(&temp, name, err);

	if (r < 0)
		return r;
	r = write(context, temp.fd, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s", name);
	if (sync && fsync(temp.fd) < 0)
		return xb_error_errno(err, -errno, "syncing %s", name);
	r = xb_file_close(&temp.fd, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s", name);
	if (renameat(dirfd, temp.name, dirfd, name) < 0)
		return xb_error_errno(err, -errno, "renaming to %s", name);
	free(XB_STEAL(temp.name));
	return sync ? sync_parent(dirfd, name, err) : 0;
}

static int write_view(void *context, int fd, struct xb_error *err)
{
	const struct xb_view *view = context;

	return xb_write_all(fd, view->data, view->len, err);
}

int xb_file_replace_at(int dirfd, const char *name, const void *data, size_t len, bool sync,
		       struct xb_error *err)
{
	struct xb_view view = { data, len };

	return xb_file_write_at(dirfd, name, write_view, &view, sync, err);
}

/* Where the file system knows no files without names, one loses its name at once. */
static int open_unlinked(int dirfd, struct xb_error *err)
{
	XB_CLEANUP(temp_file_clear)
	struct temp_file temp = { .dirfd = dirfd, .fd = -1 };
	int r = temp_file_open(&temp, "", err);

	return r < 0 ? r : XB_STEAL_FD(temp.fd);
}

int xb_file_unnamed(int dirfd, struct xb_error *err)
{
	int fd = openat(dirfd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		return open_unlinked(dirfd, err);
	return fd < 0 ? xb_error_errno(err, -errno, "making a file without a name") : fd;
}

int xb_memfd_new(const char *name, struct xb_error *err)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, flags | MFD_EXEC);

	/*
	 * EINVAL: older than Linux 6.3, where each memfd may be executed. EACCES: vm.memfd_noexec=2
	 * allows none, which is still good for data.
	 */
	if (fd < 0 && (errno == EINVAL || errno == EACCES))
		fd = memfd_create(name, flags);
	if (fd < 0)
		return xb_error_errno(err, -errno, "making the memory file %s", name);
	return fd;
}

int xb_memfd_seal(int fd, struct xb_error *err)
{
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return xb_error_errno(err, -errno, "sealing a memory file");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return xb_error_errno(err, -errno, "rewinding a memory file");
	return 0;
}
