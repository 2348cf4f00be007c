/* SPDX-License-Identifier: Apache-2.0 */
/**
 * How the bytes of a blob go from one place to another: who has them gives a source or fills a
 * sink, who wants them reads or is a sink. xb_pipe makes a source of what only fills sinks.
 */
#ifndef XB_MANIFEST_STREAM_H
#define XB_MANIFEST_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/error.h"

/** What takes a blob's bytes, in order, on one thread; `context` is given to the calls. */
struct xb_blob_sink {
	void *context;
	/** The next bytes. A negative errno ends the transfer. */
	int (*write)(void *context, const void *data, size_t len, struct xb_error *err);
	/** Forget what was written: the bytes come again from their start. */
	int (*restart)(void *context, struct xb_error *err);
};

/** What gives a blob's bytes; `context` is given to the call. */
struct xb_blob_source {
	void *context;
	/**
	 * Read at most `size` bytes from `offset`; 0 at the end, or a negative errno. Offsets
	 * mostly rise; one that goes back may be dear.
	 */
	ssize_t (*read)(void *context, uint64_t offset, void *data, size_t size,
			struct xb_error *err);
};

/** Give all of `source` to `sink`. */
int xb_blob_pump(const struct xb_blob_source *source, const struct xb_blob_sink *sink,
		 struct xb_error *err);

/**
 * Likewise, for a blob that is told by its digest: -EBADMSG, with `where` in the message, when the
 * bytes are not those.
 */
int xb_blob_pump_verified(const struct xb_blob_source *source, const struct xb_digest *digest,
			  const char *where, const struct xb_blob_sink *sink, struct xb_error *err);

/** A source that reads the regular file `*fd`; the variable, too, must stay where it is. */
struct xb_blob_source xb_blob_source_file(int *fd);

/** A source fed by a thread that fills a sink. */
struct xb_pipe;

/** Fill `sink`: what xb_pipe runs on its thread, again for each step back of the reader. */
typedef int (*xb_pipe_fill)(void *context, const struct xb_blob_sink *sink, struct xb_error *err);

/** Make one; the thread starts with the first read. `context` is borrowed. */
struct xb_pipe *xb_pipe_new(xb_pipe_fill fill, void *context);
/**
 * Its source: the end of the bytes is told only after `fill` has returned 0, so that whoever
 * checks a digest there has done so. Errors of `fill` come out of read().
 */
struct xb_blob_source xb_pipe_source(struct xb_pipe *pipe);
/** Stop the thread, wait for it, and release; NULL is left alone. */
void xb_pipe_free(struct xb_pipe *pipe);

XB_DEFINE_CLEANUP(xb_pipe_cleanup, struct xb_pipe, xb_pipe_free)
#define xb_auto_pipe XB_CLEANUP(xb_pipe_cleanup)

#endif
