/* SPDX-License-Identifier: Apache-2.0 */
/**
 * From a blob to the bytes that were compressed into it, checking all that a blob can be checked
 * by.
 *
 * Loops over zlib, libzstd, libbz2 and liblzma; zlib rather than libdeflate since a foreign blob
 * may be one member of many gigabytes. A blob is any number of whole members, frames or streams and
 * nothing else (between xz streams the padding that their format has). bzip2 and xz are what
 * archives of the user's own come in, for ADD.
 */
#ifndef XB_BUILDER_LAYER_DECODE_H
#define XB_BUILDER_LAYER_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/error.h"

/** What a blob is compressed with. */
enum xb_coding {
	XB_CODING_PLAIN,
	XB_CODING_GZIP,
	XB_CODING_ZSTD,
	XB_CODING_BZIP2,
	XB_CODING_XZ,
};

/** What to read and what to hold it against. */
struct xb_decode_options {
	int fd; /**< read from its position 0 by pread(); borrowed */
	/**
	 * The file is still being written, in order: what is read from `growth` (borrowed), numbers
	 * of 8 bytes in this machine's order, says how many bytes of it may be read so far, and its
	 * end that there come no more.
	 */
	bool grows;
	int growth;
	enum xb_coding coding;
	uint64_t max_size;	  /**< bytes that may come out; more is -EFBIG */
	struct xb_digest digest;  /**< what the blob must have; empty: any */
	struct xb_digest content; /**< what the decoded bytes must have; empty: any */
};

struct xb_decoder;

/** The coding that a blob's first bytes (8 are enough) show; XB_CODING_PLAIN when none. */
enum xb_coding xb_coding_detect(const void *start, size_t len);

/** Start. -ENOMEM, -ENOTSUP. */
int xb_decoder_new(const struct xb_decode_options *options, struct xb_decoder **ret,
		   struct xb_error *err);
/** Release; NULL is left alone. */
void xb_decoder_free(struct xb_decoder *d);

XB_DEFINE_CLEANUP(xb_decoder_cleanup, struct xb_decoder, xb_decoder_free)
#define xb_auto_decoder XB_CLEANUP(xb_decoder_cleanup)

/**
 * The next decoded bytes (borrowed until the next call): 1, or 0 at the end, or a negative errno:
 * -EBADMSG (damaged, cut short, something behind it, a digest that is not the expected one, which
 * is known at the end), -EFBIG. Fits struct xb_tar_input.
 */
int xb_decoder_next(void *decoder, const void **ret_data, size_t *ret_len, struct xb_error *err);

/** Read to the end, throwing the bytes away, so that the digests are checked. */
int xb_decoder_drain(struct xb_decoder *d, struct xb_error *err);

/** Decoded bytes so far. */
uint64_t xb_decoder_size(const struct xb_decoder *d);

#endif
