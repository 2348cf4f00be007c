/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Where a layer's tar goes: hashed, cut at fixed places, each piece compressed by itself, hashed
 * again and written.
 *
 * A gzip blob is thus a series of members, a zstd blob a series of frames, which every reader of
 * layers takes as one stream (tried: umoci, skopeo, buildah, libarchive, Python, gzip, zstd). The
 * bytes depend on the data, the level and the library's version alone.
 */
#ifndef XB_BUILDER_LAYER_SINK_H
#define XB_BUILDER_LAYER_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "builder/layer/layer.h"

struct xb_sink;

/** Start a blob that is written to `out_fd` (borrowed). -EINVAL: the level is out of range. */
int xb_sink_new(const struct xb_pack_options *options, int out_fd, struct xb_sink **ret,
		struct xb_error *err);
/** Release; what was not finished stays half written. NULL is left alone. */
void xb_sink_free(struct xb_sink *sink);

XB_DEFINE_CLEANUP(xb_sink_cleanup, struct xb_sink, xb_sink_free)
#define xb_auto_sink XB_CLEANUP(xb_sink_cleanup)

/** Add bytes of the tar. */
int xb_sink_write(struct xb_sink *sink, const void *data, size_t len, struct xb_error *err);
/** Add `len` zero bytes. */
int xb_sink_zeros(struct xb_sink *sink, uint64_t len, struct xb_error *err);
/**
 * Add `size` bytes of the regular file `fd`, from its start, without reading its holes; then the
 * padding to a whole tar block. -EILSEQ when the file is shorter.
 */
int xb_sink_file(struct xb_sink *sink, int fd, uint64_t size, struct xb_error *err);
/** Write what is left; fills `ret` but for its `entries`. */
int xb_sink_finish(struct xb_sink *sink, struct xb_layer_info *ret, struct xb_error *err);

#endif
