/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The ways of compressing one piece of a layer, each with bytes that depend on the piece, the level
 * and the library's version alone. For builder/layer; others
 * ask for names and defaults alone.
 */
#ifndef XB_BUILDER_LAYER_CODEC_H
#define XB_BUILDER_LAYER_CODEC_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/str.h"
#include "builder/layer/layer.h"
#include "manifest/media.h"

/** One way. Its state serves one thread at a time. */
struct xb_codec {
	enum xb_media_compression media;
	size_t piece; /**< most bytes of tar in one piece */
	int sliced;   /**< from this level on a piece is several members, whose size is part of what
			 it becomes; 0: never */
	int default_level;
	int max_level;
	/** NULL where there is nothing to do: pieces are written as they are. */
	void *(*open)(int level);
	void (*close)(void *state);
	size_t (*bound)(void *state, size_t len);
	/**
	 * Returns the bytes made, 0 when that failed or `cancelled` (NULL: never) became true. That
	 * is looked at often enough to be obeyed in a tenth of a second or so.
	 */
	size_t (*compress)(void *state, const void *in, size_t len, void *out, size_t cap,
			   const atomic_bool *cancelled);
	const char *(*version)(void); /**< of the library */
};

/** The way that an option names; never NULL. */
const struct xb_codec *xb_codec_of(enum xb_compression compression);

/** Append what, beside a piece, decides what its compressed form is: method, library, level. */
void xb_codec_name(const struct xb_codec *codec, int level, struct xb_str *ret);

/**
 * Whether compressing is of no use: a sample of the piece has nearly as many different bytes as
 * random ones have, and does not repeat itself. Integer arithmetic on the bytes alone, so the
 * answer is the same everywhere.
 */
bool xb_codec_is_dense(const void *data, size_t len);

/** A check sum of compressed bytes (CRC-32), against decay in the store. */
uint32_t xb_codec_check(const void *data, size_t len);

#endif
