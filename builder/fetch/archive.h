/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Archives as trees: a build context that comes as a tar from a URL or standard input.
 */
#ifndef XB_BUILDER_FETCH_ARCHIVE_H
#define XB_BUILDER_FETCH_ARCHIVE_H

#include "base/error.h"
#include "base/str.h"
#include "builder/cache/store.h"
#include "builder/fetch/fetch.h"

/** The most bytes of an archive, as it comes, when `max_size` of the options is 0: 16 GiB. */
#define XB_MAX_ARCHIVE ((uint64_t)16 << 30)

/**
 * Read `fd` to its end from where it stands (a file, a pipe, a terminal). Begins it as an archive
 * does (a tar's first header, or the first bytes of gzip, bzip2, xz or zstd; as BuildKit has it),
 * then unpack it in the confined child of builder/layer/unpack.h, everything owned by 0:0 with the
 * modes and times of the archive, and return 1 with `ret` filled: `time` is the newest one of a
 * regular file, -1 without any. The same bytes are unpacked once; the store's records know them.
 *
 * Else return 0 with all the bytes appended to `ret_text`, which bounds them: a Dockerfile. An
 * empty input is one too.
 *
 * Of the options `cancel_fd`, `fresh` and `max_size` count, the latter for the archive as it comes
 * (0: XB_MAX_ARCHIVE) and for what it unpacks to (0: as `struct xb_unpack_limits`). Errors: fault
 * source with -EBADMSG (begins as an archive and is none), -EFBIG (`ret_text` is too small; or a
 * limit, with the hint how to raise it); those of reading; fault store; -ECANCELED.
 */
int xb_fetch_archive(struct xb_store *store, int fd, const struct xb_fetch_options *options,
		     struct xb_str *ret_text, struct xb_fetched *ret, struct xb_error *err);

#endif
