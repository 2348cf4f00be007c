/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/sink.h"

#include <errno.h>
#include <libdeflate.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/file.h"
#include "base/str.h"
#include "builder/layer/tarwrite.h"
#include "manifest/media.h"

/* One way of compressing: how much at once, which levels, how. */
struct codec {
	enum xb_media_compression media;
	size_t chunk; /* bytes of tar compressed as one piece */
	int default_level;
	int max_level;
	void *(*open)(int level);
	void (*close)(void *state);
	size_t (*bound)(void *state, size_t len);
	/* Returns the bytes made, 0 when they do not fit. */
	size_t (*compress)(void *state, const void *in, size_t len, void *out, size_t cap);
};

static void *gzip_open(int level)
{
	return libdeflate_alloc_compressor(level);
}

static void gzip_close(void *state)
{
	libdeflate_free_compressor(state);
}

static size_t gzip_bound(void *state, size_t len)
{
	return libdeflate_gzip_compress_bound(state, len);
}

static size_t gzip_compress(void *state, const void *in, size_t len, void *out, size_t cap)
{
	return libdeflate_gzip_compress(state, in, len, out, cap);
}

static void *zstd_open(int level)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();

	if (c != NULL) {
		ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
		ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	}
	return c;
}

static void zstd_close(void *state)
{
	ZSTD_freeCCtx(state);
}

static size_t zstd_bound(void *state, size_t len)
{
	(void)state;
	return ZSTD_compressBound(len);
}

static size_t zstd_compress(void *state, const void *in, size_t len, void *out, size_t cap)
{
	size_t n = ZSTD_compress2(state, out, cap, in, len);

	return ZSTD_isError(n) ? 0 : n;
}

static const struct codec codecs[] = {
	[XB_COMPRESSION_GZIP] = { XB_MEDIA_GZIP, (size_t)1 << 20, 6, 12, gzip_open, gzip_close,
				  gzip_bound, gzip_compress },
	[XB_COMPRESSION_ZSTD] = { XB_MEDIA_ZSTD, (size_t)4 << 20, 3, 19, zstd_open, zstd_close,
				  zstd_bound, zstd_compress },
	[XB_COMPRESSION_NONE] = { XB_MEDIA_PLAIN, (size_t)1 << 20, 0, 0, NULL, NULL, NULL, NULL },
};

struct xb_sink {
	const struct codec *codec;
	void *state;
	int fd;
	char *chunk;
	size_t len; /* bytes in `chunk` */
	char *out;
	size_t out_cap;
	struct xb_hasher *tar_hash;
	struct xb_hasher *blob_hash;
	uint64_t tar_size;
	uint64_t size;
};

int xb_sink_new(const struct xb_pack_options *options, int out_fd, struct xb_sink **ret,
		struct xb_error *err)
{
	const struct codec *codec = &codecs[options->compression];
	int level = options->level == 0 ? codec->default_level : options->level;
	xb_auto_sink struct xb_sink *sink = NULL;

	if (level < 0 || level > codec->max_level) {
		xb_error_set(err, -EINVAL, "compression level %d is not in 1..%d", level,
			     codec->max_level);
		return xb_error_fault(err, XB_FAULT_USAGE), -EINVAL;
	}
	sink = xb_calloc(1, sizeof(*sink));
	sink->codec = codec;
	sink->fd = out_fd;
	sink->chunk = xb_alloc(codec->chunk);
	sink->tar_hash = xb_hasher_new();
	sink->blob_hash = xb_hasher_new();
	if (codec->open != NULL) {
		sink->state = codec->open(level);
		if (sink->state == NULL)
			return xb_error_set(err, -ENOMEM, "no memory to compress");
		sink->out_cap = codec->bound(sink->state, codec->chunk);
		sink->out = xb_alloc(sink->out_cap);
	}
	*ret = XB_STEAL(sink);
	return 0;
}

void xb_sink_free(struct xb_sink *sink)
{
	if (sink == NULL)
		return;
	if (sink->state != NULL)
		sink->codec->close(sink->state);
	xb_hasher_free(sink->tar_hash);
	xb_hasher_free(sink->blob_hash);
	free(sink->chunk);
	free(sink->out);
	free(sink);
}

static int flush(struct xb_sink *sink, struct xb_error *err)
{
	const void *out = sink->chunk;
	size_t n = sink->len;

	if (n == 0)
		return 0;
	xb_hasher_add(sink->tar_hash, sink->chunk, sink->len);
	sink->tar_size += sink->len;
	if (sink->state != NULL) {
		n = sink->codec->compress(sink->state, sink->chunk, sink->len, sink->out,
					  sink->out_cap);
		out = sink->out;
		if (n == 0)
			return xb_error_set(err, -EIO, "compressing a layer failed");
	}
	xb_hasher_add(sink->blob_hash, out, n);
	sink->size += n;
	sink->len = 0;
	return xb_write_all(sink->fd, out, n, err);
}

/* Where the next bytes go, and how many fit; the chunk is never left full. */
static char *room(struct xb_sink *sink, uint64_t wanted, size_t *ret_len)
{
	size_t left = sink->codec->chunk - sink->len;

	*ret_len = wanted < left ? (size_t)wanted : left;
	return sink->chunk + sink->len;
}

static int filled(struct xb_sink *sink, size_t len, struct xb_error *err)
{
	sink->len += len;
	return sink->len == sink->codec->chunk ? flush(sink, err) : 0;
}

int xb_sink_write(struct xb_sink *sink, const void *data, size_t len, struct xb_error *err)
{
	const char *p = data;
	int r = 0;

	while (r >= 0 && len > 0) {
		size_t n;
		char *to = room(sink, len, &n);

		memcpy(to, p, n);
		p += n;
		len -= n;
		r = filled(sink, n, err);
	}
	return r;
}

int xb_sink_zeros(struct xb_sink *sink, uint64_t len, struct xb_error *err)
{
	int r = 0;

	while (r >= 0 && len > 0) {
		size_t n;
		char *to = room(sink, len, &n);

		memset(to, 0, n);
		len -= n;
		r = filled(sink, n, err);
	}
	return r;
}

/* Add the bytes `from`..`to` of a file, read straight into the chunk. */
static int add_data(struct xb_sink *sink, int fd, uint64_t from, uint64_t to, struct xb_error *err)
{
	while (from < to) {
		size_t want;
		char *buffer = room(sink, to - from, &want);
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
		r = filled(sink, (size_t)n, err);
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

int xb_sink_file(struct xb_sink *sink, int fd, uint64_t size, struct xb_error *err)
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

int xb_sink_finish(struct xb_sink *sink, struct xb_layer_info *ret, struct xb_error *err)
{
	int r = flush(sink, err);

	if (r < 0)
		return r;
	ret->diff_id = xb_hasher_finish(sink->tar_hash);
	ret->digest = xb_hasher_finish(sink->blob_hash);
	ret->size = sink->size;
	ret->tar_size = sink->tar_size;
	ret->media_type = xb_media_layer(sink->codec->media, false);
	return 0;
}
