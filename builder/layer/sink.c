/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/sink.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "builder/layer/press.h"
#include "builder/layer/tarwrite.h"

/* A file of so many bytes has pieces of its own; of smaller entries about so many share one. */
#define LARGE ((uint64_t)256 << 10)
/* No piece ends between small entries before it has so many bytes. */
#define SMALLEST ((size_t)64 << 10)

struct xb_sink {
	struct xb_press *press;
};

int xb_sink_new(const struct xb_pack_options *options, int out_fd, struct xb_sink **ret,
		struct xb_error *err)
{
	struct xb_press *press;
	int r = xb_press_new(options, out_fd, &press, err);

	if (r < 0)
		return r;
	*ret = xb_calloc(1, sizeof(**ret));
	(*ret)->press = press;
	return 0;
}

void xb_sink_free(struct xb_sink *sink)
{
	if (sink == NULL)
		return;
	xb_press_free(sink->press);
	free(sink);
}

int xb_sink_write(struct xb_sink *sink, const void *data, size_t len, struct xb_error *err)
{
	const char *p = data;
	int r = 0;

	while (r >= 0 && len > 0) {
		size_t n;
		char *to = xb_press_room(sink->press, len, &n);

		memcpy(to, p, n);
		p += n;
		len -= n;
		r = xb_press_filled(sink->press, n, err);
	}
	return r;
}

int xb_sink_zeros(struct xb_sink *sink, uint64_t len, struct xb_error *err)
{
	int r = 0;

	while (r >= 0 && len > 0) {
		size_t n;
		char *to = xb_press_room(sink->press, len, &n);

		memset(to, 0, n);
		len -= n;
		r = xb_press_filled(sink->press, n, err);
	}
	return r;
}

/* 32 bits of a name: FNV-1a, mixed. Where blobs are cut depends on it: never to be changed. */
static uint64_t hash_name(struct xb_view name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ (unsigned char)name.data[i]) * UINT64_C(0x100000001b3);
	return ((hash ^ hash >> 32) * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
}

int xb_sink_entry(struct xb_sink *sink, struct xb_view name, uint64_t size, struct xb_error *err)
{
	uint64_t bytes = XB_TAR_BLOCK + size;

	if (size >= LARGE || xb_press_len(sink->press) < SMALLEST)
		return 0;
	/* a larger entry is more likely to be one that begins a piece */
	return hash_name(name) * LARGE < bytes << 32 ? xb_press_cut(sink->press, err) : 0;
}

/* Add the bytes `from`..`to` of a file, read straight into the piece. */
static int add_data(struct xb_sink *sink, int fd, uint64_t from, uint64_t to, struct xb_error *err)
{
	while (from < to) {
		size_t want;
		char *buffer = xb_press_room(sink->press, to - from, &want);
		ssize_t n = pread(fd, buffer, want, (off_t)from);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return xb_error_errno(err, -errno, "reading a file");
		if (n == 0)
			return xb_error_set(err, -EILSEQ,
					    "a file became shorter while it was read");
		from += (uint64_t)n;
		r = xb_press_filled(sink->press, (size_t)n, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Where data and hole meet after `at`; a file system that cannot say has no holes. */
static uint64_t seek_to(int fd, uint64_t at, uint64_t size, int whence)
{
	off_t found = lseek(fd, (off_t)at, whence);

	if (found < 0)
		return errno == ENXIO || whence == SEEK_HOLE ? size : at;
	return (uint64_t)found < size ? (uint64_t)found : size;
}

static int add_file(struct xb_sink *sink, int fd, uint64_t size, struct xb_error *err)
{
	uint64_t at = 0;
	int r = 0;

	while (r >= 0 && at < size) {
		uint64_t data = seek_to(fd, at, size, SEEK_DATA);
		uint64_t hole = data < size ? seek_to(fd, data, size, SEEK_HOLE) : size;

		r = xb_sink_zeros(sink, data - at, err);
		if (r >= 0)
			r = add_data(sink, fd, data, hole, err);
		at = hole;
	}
	return r < 0 ? r : xb_sink_zeros(sink, xb_tar_padding(size), err);
}

int xb_sink_file(struct xb_sink *sink, int fd, uint64_t size, struct xb_error *err)
{
	bool large = size >= LARGE;
	int r = large ? xb_press_cut(sink->press, err) : 0;

	if (r == 0)
		r = add_file(sink, fd, size, err);
	return r == 0 && large ? xb_press_cut(sink->press, err) : r;
}

int xb_sink_finish(struct xb_sink *sink, struct xb_layer_info *ret, struct xb_error *err)
{
	return xb_press_finish(sink->press, ret, err);
}
