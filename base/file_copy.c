/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COPY_CHUNK = 128 << 10 };
/* In-kernel copies are asked for in pieces, so that a signal does not wait for a whole disk. */
#define KERNEL_COPY_CHUNK ((size_t)256 << 20)

/* A copy under way. */
struct copy {
	int from;
	int to;
	bool no_kernel; /* copy_file_range() does not work between these two */
	char *chunk;	/* COPY_CHUNK bytes, made when first needed */
};

static void copy_clear(struct copy *c)
{
	free(c->chunk);
}

static size_t at_most(uint64_t wanted, size_t limit)
{
	return wanted < limit ? (size_t)wanted : limit;
}

/* Copy up to `len` bytes by hand; returns how many, 0 at the end, or a negative errno. */
static ssize_t copy_by_hand(struct copy *c, uint64_t len, struct xb_error *err)
{
	ssize_t n;
	int r;

	if (c->chunk == NULL)
		c->chunk = xb_alloc(COPY_CHUNK);
	n = xb_read_full(c->from, c->chunk, at_most(len, COPY_CHUNK), err);
	if (n < 0)
		return n;
	r = xb_write_all(c->to, c->chunk, (size_t)n, err);
	return r < 0 ? r : n;
}

/* Copy up to `len` bytes in whatever way works; as copy_by_hand(). */
static ssize_t copy_some(struct copy *c, uint64_t len, struct xb_error *err)
{
	ssize_t n = 0;

	if (!c->no_kernel) {
		do
			n = copy_file_range(c->from, NULL, c->to, NULL,
					    at_most(len, KERNEL_COPY_CHUNK), 0);
		while (n < 0 && errno == EINTR);
		if (n > 0)
			return n;
		/*
		 * 0 may be the end, or a file system that makes up its files; a failure may be of
		 * the pair of file systems or a true one: copying by hand tells.
		 */
		c->no_kernel = true;
	}
	return copy_by_hand(c, len, err);
}

/* Copy `len` bytes (XB_COPY_TO_END: up to the end). */
static int copy_run(struct copy *c, uint64_t len, struct xb_error *err)
{
	uint64_t done = 0;

	while (done < len) {
		ssize_t n = copy_some(c, len - done, err);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		done += (uint64_t)n;
	}
	if (done < len && len != XB_COPY_TO_END)
		return xb_error_set(err, -EIO, "the file ended %llu bytes early",
				    (unsigned long long)(len - done));
	return 0;
}

/* Move both positions over `len` bytes of a hole. */
static int copy_hole(struct copy *c, off_t len, struct xb_error *err)
{
	off_t to = lseek(c->to, len, SEEK_CUR);

	if (to < 0 || lseek(c->from, len, SEEK_CUR) < 0)
		return xb_error_errno(err, -errno, "skipping a hole");
	/* A hole at the end must count too. */
	if (ftruncate(c->to, to) < 0)
		return xb_error_errno(err, -errno, "making a hole");
	return 0;
}

/* Copy `len` bytes of a regular file, skipping its holes. */
static int copy_sparse(struct copy *c, off_t len, struct xb_error *err)
{
	off_t at = lseek(c->from, 0, SEEK_CUR), end = at + len;
	int r = 0;

	while (at < end && r == 0) {
		off_t data = lseek(c->from, at, SEEK_DATA);
		off_t hole = data >= 0 ? lseek(c->from, data, SEEK_HOLE) : -1;

		if (data < 0 && errno != ENXIO)
			return xb_error_errno(err, -errno, "looking for data");
		if (data < 0 || data > end)
			data = end;
		if (hole < data || hole > end)
			hole = end;
		if (lseek(c->from, at, SEEK_SET) < 0)
			return xb_error_errno(err, -errno, "seeking");
		if (data > at)
			r = copy_hole(c, data - at, err);
		if (r == 0)
			r = copy_run(c, (uint64_t)(hole - data), err);
		at = hole;
	}
	return r;
}

/* Whether the rest of `from` may be made by skipping holes in `to`; yields how much there is. */
static bool can_skip_holes(const struct copy *c, off_t *ret_rest)
{
	struct stat from, to;
	off_t at_from = lseek(c->from, 0, SEEK_CUR), at_to = lseek(c->to, 0, SEEK_CUR);
	int flags = fcntl(c->to, F_GETFL);

	if (at_from < 0 || at_to < 0 || flags < 0 || (flags & O_APPEND) != 0)
		return false;
	if (fstat(c->from, &from) < 0 || fstat(c->to, &to) < 0)
		return false;
	if (!S_ISREG(from.st_mode) || !S_ISREG(to.st_mode) || to.st_size > at_to)
		return false;
	*ret_rest = from.st_size - at_from;
	/* Files that procfs and its kin make up have no size but do have bytes. */
	return from.st_size > 0 && *ret_rest >= 0;
}

/* Share the blocks of the whole file; returns whether that worked. */
static bool copy_clone(struct copy *c, off_t rest)
{
	if (lseek(c->from, 0, SEEK_CUR) != 0 || lseek(c->to, 0, SEEK_CUR) != 0)
		return false;
	if (ioctl(c->to, FICLONE, c->from) < 0)
		return false;
	(void)lseek(c->from, rest, SEEK_SET);
	(void)lseek(c->to, rest, SEEK_SET);
	return true;
}

int xb_copy_data(int from, int to, uint64_t size, struct xb_error *err)
{
	XB_CLEANUP(copy_clear) struct copy c = { .from = from, .to = to };
	off_t rest = 0;
	bool whole;
	int r = 0;

	if (!can_skip_holes(&c, &rest))
		return copy_run(&c, size, err);
	whole = size >= (uint64_t)rest;
	if (!whole || !copy_clone(&c, rest))
		r = copy_sparse(&c, whole ? rest : (off_t)size, err);
	if (r < 0 || !whole)
		return r;
	/* What has been added to it meanwhile. */
	return copy_run(&c, size == XB_COPY_TO_END ? size : size - (uint64_t)rest, err);
}
