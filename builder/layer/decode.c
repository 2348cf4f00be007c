/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/decode.h"

#include <bzlib.h>
#include <errno.h>
#include <lzma.h>
#include <string.h>
#include <unistd.h>
#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#include "base/file.h"
#include "base/str.h"

enum { IN_SIZE = 128 << 10, OUT_SIZE = 256 << 10 };

/* The largest window that a zstd frame may ask for: 2^27 bytes, what `zstd -d` takes by itself. */
#define MAX_ZSTD_WINDOW_LOG 27
/* Bytes that an xz stream may make its decoder take; `xz -9` needs 65 MiB. */
#define MAX_XZ_MEMORY ((uint64_t)1 << 30)

struct xb_decoder;

/*
 * One way of decoding. `next` gives decoded bytes as xb_decoder_next() does, 0 at the end of the
 * blob; digests and limits are not its business.
 */
struct coder {
	int (*open)(struct xb_decoder *d, struct xb_error *err);
	int (*next)(struct xb_decoder *d, const void **ret, size_t *ret_len, struct xb_error *err);
	void (*close)(struct xb_decoder *d);
};

struct xb_decoder {
	struct xb_decode_options options;
	const struct coder *coder;
	struct xb_hasher *blob_hash;
	struct xb_hasher *content_hash;
	uint64_t at;	/* bytes of the blob that were read */
	uint64_t there; /* bytes of it that may be read, when it grows */
	uint64_t size;	/* bytes that came out */
	const unsigned char *in;
	size_t in_len;	/* bytes at `in` that were not decoded yet */
	bool in_member; /* a member or frame has begun and not ended */
	bool ended;	/* xz: the last stream has ended */
	bool done;	/* everything was read and checked */
	z_stream gzip;
	ZSTD_DStream *zstd;
	bz_stream bzip2;
	lzma_stream xz;
	unsigned char in_buffer[IN_SIZE];
	unsigned char out_buffer[OUT_SIZE];
};

static int damaged(struct xb_error *err, const char *what)
{
	return xb_error_set(err, -EBADMSG, "damaged blob: %s", what);
}

/* Wait until there is more of a blob that grows. Returns how many bytes, 0 when it has ended. */
static ssize_t wait_for_more(struct xb_decoder *d, struct xb_error *err)
{
	while (d->there <= d->at) {
		uint64_t size = 0;
		ssize_t n = xb_read_full(d->options.growth, &size, sizeof(size), err);

		if (n < 0)
			return n;
		if (n == 0)
			return 0;
		if (n != sizeof(size) || size < d->there)
			return xb_error_set(err, -EINVAL, "a blob that shrinks");
		d->there = size;
	}
	return d->there - d->at < IN_SIZE ? (ssize_t)(d->there - d->at) : IN_SIZE;
}

/* Read more of the blob: 1, 0 at its end. */
static int refill(struct xb_decoder *d, struct xb_error *err)
{
	ssize_t n = d->options.grows ? wait_for_more(d, err) : IN_SIZE;
	size_t want = n > 0 ? (size_t)n : 0;

	if (n < 0)
		return (int)n;
	do
		n = pread(d->options.fd, d->in_buffer, want, (off_t)d->at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return xb_error_errno(err, -errno, "reading a blob");
	if (d->blob_hash != NULL)
		xb_hasher_add(d->blob_hash, d->in_buffer, (size_t)n);
	d->at += (uint64_t)n;
	d->in = d->in_buffer;
	d->in_len = (size_t)n;
	return n > 0;
}

static int plain_next(struct xb_decoder *d, const void **ret, size_t *ret_len, struct xb_error *err)
{
	int r = refill(d, err);

	*ret = d->in;
	*ret_len = d->in_len;
	return r;
}

/* gzip */

static int gzip_open(struct xb_decoder *d, struct xb_error *err)
{
	/* 15 bits of window, and 16: a gzip wrapper and no other */
	return inflateInit2(&d->gzip, 15 + 16) == Z_OK
		       ? 0
		       : xb_error_set(err, -ENOMEM, "no memory to decompress");
}

static void gzip_close(struct xb_decoder *d)
{
	inflateEnd(&d->gzip);
}

/* One call of inflate(): sets the bytes made. */
static int gzip_step(struct xb_decoder *d, size_t *ret_len, struct xb_error *err)
{
	int z;

	d->gzip.next_in = d->in;
	d->gzip.avail_in = (uInt)d->in_len;
	d->gzip.next_out = d->out_buffer;
	d->gzip.avail_out = OUT_SIZE;
	z = inflate(&d->gzip, Z_NO_FLUSH);
	d->in = d->gzip.next_in;
	d->in_len = d->gzip.avail_in;
	*ret_len = OUT_SIZE - d->gzip.avail_out;

	if (z == Z_STREAM_END) {
		d->in_member = false;
		inflateReset(&d->gzip);
	} else if (z != Z_OK && z != Z_BUF_ERROR) {
		return damaged(err, d->gzip.msg != NULL ? d->gzip.msg : "not gzip");
	}
	return 0;
}

static int gzip_next(struct xb_decoder *d, const void **ret, size_t *ret_len, struct xb_error *err)
{
	int r = 0;

	*ret_len = 0;
	while (r >= 0 && *ret_len == 0) {
		/* what was decoded but did not fit comes before more input is asked for */
		if (d->in_len == 0 && d->gzip.avail_out != 0) {
			r = refill(d, err);
			if (r < 0)
				return r;
			if (r == 0)
				return d->in_member ? damaged(err, "the gzip stream is cut short")
						    : 0;
		}
		if (d->in_len > 0)
			d->in_member = true;
		r = gzip_step(d, ret_len, err);
	}
	*ret = d->out_buffer;
	return r < 0 ? r : 1;
}

/* zstd */

static int zstd_open(struct xb_decoder *d, struct xb_error *err)
{
	d->zstd = ZSTD_createDStream();
	if (d->zstd == NULL)
		return xb_error_set(err, -ENOMEM, "no memory to decompress");
	ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, MAX_ZSTD_WINDOW_LOG);
	return 0;
}

static void zstd_close(struct xb_decoder *d)
{
	ZSTD_freeDStream(d->zstd);
}

static int zstd_next(struct xb_decoder *d, const void **ret, size_t *ret_len, struct xb_error *err)
{
	ZSTD_outBuffer out = { d->out_buffer, OUT_SIZE, 0 };

	while (out.pos == 0) {
		int r = d->in_len == 0 ? refill(d, err) : 1;
		ZSTD_inBuffer in = { d->in, d->in_len, 0 };
		size_t left;

		if (r < 0 || (r == 0 && !d->in_member))
			return r;
		left = ZSTD_decompressStream(d->zstd, &out, &in);
		if (ZSTD_isError(left))
			return damaged(err, ZSTD_getErrorName(left));
		/* without more input it may still have held output back */
		if (r == 0 && out.pos == 0)
			return damaged(err, "the zstd stream is cut short");
		d->in += in.pos;
		d->in_len -= in.pos;
		d->in_member = left != 0;
	}
	*ret = d->out_buffer;
	*ret_len = out.pos;
	return 1;
}

/* bzip2 */

static void bzip2_close(struct xb_decoder *d)
{
	if (d->in_member)
		BZ2_bzDecompressEnd(&d->bzip2);
	d->in_member = false;
}

/* A file may be many streams, as parallel compressors make them; each has a decoder of its own. */
static int bzip2_begin(struct xb_decoder *d, struct xb_error *err)
{
	d->bzip2 = (bz_stream){ 0 };
	if (BZ2_bzDecompressInit(&d->bzip2, 0, 0) != BZ_OK)
		return xb_error_set(err, -ENOMEM, "no memory to decompress");
	d->in_member = true;
	return 0;
}

/* One call of the library: sets the bytes made. */
static int bzip2_step(struct xb_decoder *d, size_t *ret_len, struct xb_error *err)
{
	int r = d->in_member ? 0 : bzip2_begin(d, err);
	int z;

	if (r < 0)
		return r;
	/* the library does not write there; its interface is older than const */
	d->bzip2.next_in = (char *)(uintptr_t)d->in;
	d->bzip2.avail_in = (unsigned)d->in_len;
	d->bzip2.next_out = (char *)d->out_buffer;
	d->bzip2.avail_out = OUT_SIZE;
	z = BZ2_bzDecompress(&d->bzip2);
	d->in += d->in_len - d->bzip2.avail_in;
	d->in_len = d->bzip2.avail_in;
	*ret_len = OUT_SIZE - d->bzip2.avail_out;
	if (z == BZ_STREAM_END)
		bzip2_close(d);
	else if (z != BZ_OK)
		return damaged(err, "not bzip2, or not whole");
	return 0;
}

static int bzip2_next(struct xb_decoder *d, const void **ret, size_t *ret_len, struct xb_error *err)
{
	int r = 0;

	*ret_len = 0;
	while (r >= 0 && *ret_len == 0) {
		/* a full buffer was given out: there may be more without any more input */
		if (d->in_len == 0 && (!d->in_member || d->bzip2.avail_out != 0)) {
			r = refill(d, err);
			if (r < 0)
				return r;
			if (r == 0)
				return d->in_member ? damaged(err, "the bzip2 stream is cut short")
						    : 0;
		}
		r = bzip2_step(d, ret_len, err);
	}
	*ret = d->out_buffer;
	return r < 0 ? r : 1;
}

/* xz */

static int xz_open(struct xb_decoder *d, struct xb_error *err)
{
	d->xz = (lzma_stream)LZMA_STREAM_INIT;
	return lzma_stream_decoder(&d->xz, MAX_XZ_MEMORY, LZMA_CONCATENATED) == LZMA_OK
		       ? 0
		       : xb_error_set(err, -ENOMEM, "no memory to decompress");
}

static void xz_close(struct xb_decoder *d)
{
	lzma_end(&d->xz);
}

static int xz_failed(lzma_ret z, struct xb_error *err)
{
	switch (z) {
	case LZMA_MEM_ERROR:
		return xb_error_set(err, -ENOMEM, "no memory to decompress");
	case LZMA_MEMLIMIT_ERROR:
		return damaged(err, "it asks for more memory than xz ever needs");
	case LZMA_BUF_ERROR:
		return damaged(err, "the xz stream is cut short");
	default:
		return damaged(err, "not xz, or not whole");
	}
}

static int xz_next(struct xb_decoder *d, const void **ret, size_t *ret_len, struct xb_error *err)
{
	d->xz.next_out = d->out_buffer;
	d->xz.avail_out = OUT_SIZE;
	while (!d->ended && d->xz.avail_out == OUT_SIZE) {
		int r = d->in_len == 0 ? refill(d, err) : 1;
		lzma_ret z;

		if (r < 0)
			return r;
		d->xz.next_in = d->in;
		d->xz.avail_in = d->in_len;
		z = lzma_code(&d->xz, r == 0 ? LZMA_FINISH : LZMA_RUN);
		d->in = d->xz.next_in;
		d->in_len = d->xz.avail_in;
		d->ended = z == LZMA_STREAM_END;
		if (z != LZMA_OK && z != LZMA_STREAM_END)
			return xz_failed(z, err);
	}
	*ret = d->out_buffer;
	*ret_len = OUT_SIZE - d->xz.avail_out;
	return *ret_len > 0;
}

static const struct coder coders[] = {
	[XB_CODING_PLAIN] = { NULL, plain_next, NULL },
	[XB_CODING_GZIP] = { gzip_open, gzip_next, gzip_close },
	[XB_CODING_ZSTD] = { zstd_open, zstd_next, zstd_close },
	[XB_CODING_BZIP2] = { NULL, bzip2_next, bzip2_close },
	[XB_CODING_XZ] = { xz_open, xz_next, xz_close },
};

enum xb_coding xb_coding_detect(const void *start, size_t len)
{
	static const struct {
		struct xb_view magic;
		enum xb_coding coding;
	} magics[] = {
		{ XB_VIEW("\x1f\x8b\x08"), XB_CODING_GZIP },
		{ XB_VIEW("\x28\xb5\x2f\xfd"), XB_CODING_ZSTD },
		{ XB_VIEW("BZh"), XB_CODING_BZIP2 },
		{ XB_VIEW("\xfd"
			  "7zXZ\0"),
		  XB_CODING_XZ },
	};

	for (size_t i = 0; i < XB_COUNT(magics); i++)
		if (xb_view_starts((struct xb_view){ start, len }, magics[i].magic))
			return magics[i].coding;
	return XB_CODING_PLAIN;
}

int xb_decoder_new(const struct xb_decode_options *options, struct xb_decoder **ret,
		   struct xb_error *err)
{
	xb_auto_decoder struct xb_decoder *d = xb_calloc(1, sizeof(*d));
	const struct coder *coder = &coders[options->coding];
	int r;

	d->options = *options;
	if (!xb_digest_empty(&options->digest))
		d->blob_hash = xb_hasher_new_like(&options->digest);
	if (!xb_digest_empty(&options->content))
		d->content_hash = xb_hasher_new_like(&options->content);
	d->gzip.avail_out = OUT_SIZE;
	d->coder = coder; /* each close() takes what open() left half done */
	r = coder->open != NULL ? coder->open(d, err) : 0;
	if (r < 0)
		return r;
	*ret = XB_STEAL(d);
	return 0;
}

void xb_decoder_free(struct xb_decoder *d)
{
	if (d == NULL)
		return;
	if (d->coder->close != NULL)
		d->coder->close(d);
	xb_hasher_free(d->blob_hash);
	xb_hasher_free(d->content_hash);
	free(d);
}

static int check(struct xb_hasher *hasher, const struct xb_digest *expected, const char *what,
		 struct xb_error *err)
{
	struct xb_digest found;

	if (hasher == NULL)
		return 0;
	found = xb_hasher_finish(hasher);
	if (xb_digest_eq(&found, expected))
		return 0;
	return xb_error_set(err, -EBADMSG, "%s is %s and not %s", what, found.text, expected->text);
}

/* At the end of what the coder makes: nothing may follow, and the digests must be right. */
static int finish(struct xb_decoder *d, struct xb_error *err)
{
	int r;

	if (d->at == 0 && d->options.coding != XB_CODING_PLAIN)
		return damaged(err, "it is empty");
	r = refill(d, err);
	if (r > 0)
		return damaged(err, "something follows its end");
	if (r >= 0)
		r = check(d->blob_hash, &d->options.digest, "the blob's digest", err);
	if (r >= 0)
		r = check(d->content_hash, &d->options.content, "the content's digest", err);
	d->done = r >= 0;
	return r;
}

int xb_decoder_next(void *decoder, const void **ret_data, size_t *ret_len, struct xb_error *err)
{
	struct xb_decoder *d = decoder;
	int r = d->done ? 0 : d->coder->next(d, ret_data, ret_len, err);

	if (r < 0 || d->done)
		return r;
	if (r == 0)
		return finish(d, err);
	d->size += *ret_len;
	if (d->size > d->options.max_size) {
		xb_error_set(err, -EFBIG, "it unpacks to more than %llu MiB",
			     (unsigned long long)(d->options.max_size >> 20));
		xb_error_hint(err, "raise the limit with --max-layer-size");
		return -EFBIG;
	}
	if (d->content_hash != NULL)
		xb_hasher_add(d->content_hash, *ret_data, *ret_len);
	return 1;
}

int xb_decoder_drain(struct xb_decoder *d, struct xb_error *err)
{
	const void *data;
	size_t len;
	int r;

	do
		r = xb_decoder_next(d, &data, &len, err);
	while (r > 0);
	return r;
}

uint64_t xb_decoder_size(const struct xb_decoder *d)
{
	return d->size;
}
