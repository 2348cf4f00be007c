/* SPDX-License-Identifier: Apache-2.0 */
/** What is asked of a layer blob, and what one turned out to be: plain values. */
#ifndef XB_BUILDER_LAYER_LAYER_H
#define XB_BUILDER_LAYER_LAYER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crew.h"
#include "base/digest.h"

/** How a blob is compressed. */
enum xb_compression {
	XB_COMPRESSION_GZIP, /**< members of up to 1 MiB of tar, by libdeflate; levels 1..12 */
	XB_COMPRESSION_ZSTD, /**< frames of up to 2 MiB of tar; levels 1..19 */
	XB_COMPRESSION_NONE,
};

/**
 * What pieces of layers were compressed to before, so that what is there already is copied and not
 * compressed again. A piece is known by the digest of its bytes, and of how it is compressed.
 */
struct xb_pack_memory {
	void *context;
	/**
	 * Get the compressed form of a piece, at most `cap` bytes, with the check sum it had when
	 * it was made. Returns its length, 0 where there is none. Called from several threads.
	 */
	size_t (*find)(void *context, const struct xb_digest *piece, void *out, size_t cap,
		       uint32_t *ret_check);
	/**
	 * The blob that is being made has a piece's form at `at`, `len` bytes with that check sum.
	 * Called from the packing thread.
	 */
	void (*made)(void *context, const struct xb_digest *piece, uint64_t at, size_t len,
		     uint32_t check);
};

/** What to make. All zero but `epoch` gives gzip at its default level. */
struct xb_pack_options {
	int64_t epoch; /**< SOURCE_DATE_EPOCH in seconds: times after it become it; -1: none */
	enum xb_compression compression;
	int level;			     /**< 0: the default, 6 for gzip and 3 for zstd */
	struct xb_crew *crew;		     /**< helps compressing; NULL: nobody does. Borrowed */
	const struct xb_pack_memory *memory; /**< NULL: none. Borrowed */
	const atomic_bool *cancelled; /**< once it is true packing ends soon; NULL: never. Borrowed
				       */
};

/** What was made. */
struct xb_layer_info {
	struct xb_digest diff_id; /**< SHA-256 of the tar */
	struct xb_digest digest;  /**< SHA-256 of the blob */
	uint64_t size;		  /**< bytes of the blob */
	uint64_t tar_size;	  /**< bytes of the tar */
	uint64_t entries;	  /**< entries of the tar; 0: the layer changes nothing */
	const char *media_type;	  /**< of the OCI layer; static */
};

#endif
