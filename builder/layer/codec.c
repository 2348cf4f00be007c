/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/codec.h"

#include <endian.h>
#include <libdeflate.h>
#include <string.h>
#include <zstd.h>

/* The probe looks at so many bytes of each stride, and is not asked about less than a stride. */
#define SAMPLE ((size_t)1024)
#define STRIDE ((size_t)64 << 10)

/* From this level on zstd takes more than a tenth of a second for a piece, and is asked for a block
 * at a time. Below it a frame that is given whole is made with less memory. */
#define ZSTD_SLOW  10
#define ZSTD_SLICE ((size_t)ZSTD_BLOCKSIZE_MAX)

/* From this level on libdeflate, which does at once what it is given, takes up to half a second for
 * a piece, and gets it in slices, each a member of its own. */
#define GZIP_SLOW  10
#define GZIP_SLICE ((size_t)256 << 10)

/* A level for what is worth compressing, and stored blocks for what is not. */
struct gzip {
	struct libdeflate_compressor *packing;
	struct libdeflate_compressor *storing;
	size_t slice; /* most bytes that are compressed at once */
};

static void gzip_close(void *state)
{
	struct gzip *gzip = state;

	libdeflate_free_compressor(gzip->packing);
	libdeflate_free_compressor(gzip->storing);
	free(gzip);
}

static void *gzip_open(int level)
{
	struct gzip *gzip = xb_calloc(1, sizeof(*gzip));

	gzip->packing = libdeflate_alloc_compressor(level);
	gzip->storing = libdeflate_alloc_compressor(0);
	gzip->slice = level >= GZIP_SLOW ? GZIP_SLICE : SIZE_MAX;
	if (gzip->packing == NULL || gzip->storing == NULL) {
		gzip_close(gzip);
		return NULL;
	}
	return gzip;
}

static size_t gzip_bound(void *state, size_t len)
{
	const struct gzip *gzip = state;
	size_t slice = len < gzip->slice ? len : gzip->slice;
	size_t slices = slice > 0 ? (len + slice - 1) / slice : 1;
	size_t packed = slices * libdeflate_gzip_compress_bound(gzip->packing, slice);
	size_t stored = libdeflate_gzip_compress_bound(gzip->storing, len);

	return packed > stored ? packed : stored;
}

static size_t gzip_compress(void *state, const void *in, size_t len, void *out, size_t cap,
			    const atomic_bool *cancelled)
{
	const struct gzip *gzip = state;
	size_t made = 0;

	if (xb_codec_is_dense(in, len))
		return libdeflate_gzip_compress(gzip->storing, in, len, out, cap);
	for (size_t at = 0, slice; at < len; at += slice) {
		size_t n;

		slice = len - at < gzip->slice ? len - at : gzip->slice;
		if (cancelled != NULL && atomic_load(cancelled))
			return 0;
		n = libdeflate_gzip_compress(gzip->packing, (const char *)in + at, slice,
					     (char *)out + made, cap - made);
		if (n == 0)
			return 0;
		made += n;
	}
	return made;
}

static const char *gzip_version(void)
{
	return "libdeflate " LIBDEFLATE_VERSION_STRING;
}

struct zstd {
	ZSTD_CCtx *context;
	bool slow; /* a piece may take longer than somebody who stops it wants to wait */
};

static void zstd_close(void *state)
{
	struct zstd *zstd = state;

	ZSTD_freeCCtx(zstd->context);
	free(zstd);
}

static void *zstd_open(int level)
{
	struct zstd *zstd = xb_calloc(1, sizeof(*zstd));

	zstd->context = ZSTD_createCCtx();
	zstd->slow = level >= ZSTD_SLOW;
	if (zstd->context == NULL) {
		zstd_close(zstd);
		return NULL;
	}
	ZSTD_CCtx_setParameter(zstd->context, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(zstd->context, ZSTD_c_checksumFlag, 1);
	return zstd;
}

static size_t zstd_bound(void *state, size_t len)
{
	(void)state;
	return ZSTD_compressBound(len);
}

static size_t zstd_whole(ZSTD_CCtx *c, const void *in, size_t len, void *out, size_t cap)
{
	size_t n = ZSTD_compress2(c, out, cap, in, len);

	return ZSTD_isError(n) ? 0 : n;
}

/* The same frame, a block at a time: its size is told beforehand, as if it were given whole. */
static size_t zstd_slices(ZSTD_CCtx *c, const void *in, size_t len, void *out, size_t cap,
			  const atomic_bool *cancelled)
{
	ZSTD_inBuffer from = { in, 0, 0 };
	ZSTD_outBuffer to = { out, cap, 0 };
	size_t left;
	bool last;

	(void)ZSTD_CCtx_reset(c, ZSTD_reset_session_only);
	(void)ZSTD_CCtx_setPledgedSrcSize(c, len);
	do {
		if (cancelled != NULL && atomic_load(cancelled))
			return 0;
		last = len - from.pos <= ZSTD_SLICE;
		from.size = last ? len : from.pos + ZSTD_SLICE;
		left = ZSTD_compressStream2(c, &to, &from, last ? ZSTD_e_end : ZSTD_e_continue);
		/* without room the library would go on for ever */
		if (ZSTD_isError(left) || (left > 0 && to.pos == to.size))
			return 0;
	} while (!last || left > 0);
	return to.pos;
}

static size_t zstd_compress(void *state, const void *in, size_t len, void *out, size_t cap,
			    const atomic_bool *cancelled)
{
	const struct zstd *zstd = state;

	return zstd->slow ? zstd_slices(zstd->context, in, len, out, cap, cancelled)
			  : zstd_whole(zstd->context, in, len, out, cap);
}

static const struct xb_codec codecs[] = {
	[XB_COMPRESSION_GZIP] = { XB_MEDIA_GZIP, (size_t)1 << 20, GZIP_SLOW, 6, 12, gzip_open,
				  gzip_close, gzip_bound, gzip_compress, gzip_version },
	[XB_COMPRESSION_ZSTD] = { XB_MEDIA_ZSTD, (size_t)2 << 20, 0, 3, 19, zstd_open, zstd_close,
				  zstd_bound, zstd_compress, ZSTD_versionString },
	[XB_COMPRESSION_NONE] = { .media = XB_MEDIA_PLAIN, .piece = (size_t)1 << 20 },
};

const struct xb_codec *xb_codec_of(enum xb_compression compression)
{
	return &codecs[compression];
}

void xb_codec_name(const struct xb_codec *codec, int level, struct xb_str *ret)
{
	(void)xb_str_printf(ret, "%d %s %d", (int)codec->media,
			    codec->version != NULL ? codec->version() : "", level);
	if (codec->sliced > 0 && level >= codec->sliced)
		(void)xb_str_printf(ret, " in %zu", GZIP_SLICE);
}

/*
 * How often each byte, and each hash of four bytes in a row, occurs in the samples. With n bytes
 * of which c(b) are b, n * n / sum(c(b)^2) is the number of different bytes that occur equally
 * often; random ones come close to 256, base64 to 64.
 */
struct sample {
	uint32_t bytes[256];
	uint16_t seen[4096];
	uint64_t count;
	uint64_t repeats;
};

static void take_sample(struct sample *s, const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s->bytes[p[i]]++;
	for (size_t i = 0; i + 4 <= len; i += 2) {
		uint32_t four;
		uint32_t hash;

		memcpy(&four, p + i, sizeof(four));
		four = le32toh(four);
		hash = four * UINT32_C(2654435761);
		s->repeats += s->seen[hash >> 20] == (four & 0xffff);
		s->seen[hash >> 20] = (uint16_t)(four & 0xffff);
	}
	s->count += len;
}

bool xb_codec_is_dense(const void *data, size_t len)
{
	const unsigned char *p = data;
	struct sample s = { 0 };
	uint64_t squares = 0;

	if (len < STRIDE)
		return false;
	for (size_t at = 0; at + SAMPLE <= len; at += STRIDE)
		take_sample(&s, p + at, SAMPLE);
	for (size_t i = 0; i < XB_COUNT(s.bytes); i++)
		squares += (uint64_t)s.bytes[i] * s.bytes[i];
	/* the sum for random bytes is count^2/256 + count, about; allow an eighth more */
	return squares * 8 < 9 * (s.count * s.count / 256 + s.count) && s.repeats * 64 < s.count;
}

uint32_t xb_codec_check(const void *data, size_t len)
{
	return libdeflate_crc32(0, data, len);
}
