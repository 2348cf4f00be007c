/* SPDX-License-Identifier: Apache-2.0 */
/** What is asked of a layer blob, and what one turned out to be: plain values. */
#ifndef XB_BUILDER_LAYER_LAYER_H
#define XB_BUILDER_LAYER_LAYER_H

#include <stdint.h>

#include "base/digest.h"

/** How a blob is compressed. */
enum xb_compression {
	XB_COMPRESSION_GZIP, /**< members of 1 MiB of tar each, by libdeflate; levels 1..12 */
	XB_COMPRESSION_ZSTD, /**< frames of 4 MiB of tar each; levels 1..19 */
	XB_COMPRESSION_NONE,
};

/** What to make. All zero but `epoch` gives gzip at its default level. */
struct xb_pack_options {
	int64_t epoch; /**< SOURCE_DATE_EPOCH in seconds: times after it become it; -1: none */
	enum xb_compression compression;
	int level; /**< 0: the default, 6 for gzip and 3 for zstd */
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
