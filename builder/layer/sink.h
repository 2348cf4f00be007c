/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Where a layer's tar goes: cut into pieces, each compressed by itself (builder/layer/press.h).
 *
 * A gzip blob is thus a series of members, a zstd blob a series of frames, which every reader of
 * layers takes as one stream (tried: umoci, skopeo, buildah, libarchive, Python, gzip, zstd). The
 * bytes depend on the data, the level and the library's version alone.
 *
 * Where a piece ends is decided by what is in the tar, so that a change of one file changes few
 * pieces and the others are copied from an earlier blob (docs/decisions/0023-pieces-of-layers.md).
 * - The data of a file of 256 KiB or more begins a piece, and its end ends one.
 * - A piece of 64 KiB or more ends before a smaller entry if the hash of its name says so, which is
 *   the likelier the larger the entry is: on average once in 256 KiB.
 * - A piece ends when it is full: at 1 MiB for gzip, 2 MiB for zstd.
 */
#ifndef XB_BUILDER_LAYER_SINK_H
#define XB_BUILDER_LAYER_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "builder/layer/layer.h"

struct xb_sink;

/**
 * Start a blob that is written to `out_fd` (borrowed); -1: only the tar's digest and size are
 * wanted. -EINVAL: the level is out of range.
 */
int xb_sink_new(const struct xb_pack_options *options, int out_fd, struct xb_sink **ret,
		struct xb_error *err);
/** Release; what was not finished stays half written. NULL is left alone. */
void xb_sink_free(struct xb_sink *sink);

XB_DEFINE_CLEANUP(xb_sink_cleanup, struct xb_sink, xb_sink_free)
#define xb_auto_sink XB_CLEANUP(xb_sink_cleanup)

/** An entry of that name, with `size` bytes of data, begins: its headers follow. */
int xb_sink_entry(struct xb_sink *sink, struct xb_view name, uint64_t size, struct xb_error *err);
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
