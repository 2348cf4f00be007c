/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Places where images are: a layout, an archive, the store, a repository of a registry. One
 * interface over them, so that finding, copying and publishing images is written once.
 *
 * A place may be used by several threads at once. Documents are small and checked whole; blobs are
 * streamed. What `descriptor` says is what comes, or there is an error.
 */
#ifndef XB_MANIFEST_PLACE_H
#define XB_MANIFEST_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "manifest/descriptor.h"
#include "manifest/stream.h"
#include "manifest/watch.h"

struct xb_place;

/** What a kind of place can do. Those marked (w) are NULL where nothing can be written. */
struct xb_place_ops {
	/** What a tag, a digest, or NULL (the only image) means; `ret` is empty on entry. -ENOENT.
	 */
	int (*resolve)(struct xb_place *place, const char *name, struct xb_descriptor *ret,
		       struct xb_error *err);
	/** Append a document of at most `limit` bytes; size and digest are verified. */
	int (*read)(struct xb_place *place, const struct xb_descriptor *document, size_t limit,
		    struct xb_str *text, struct xb_error *err);
	/** Whether a blob or (a registry keeps them apart) a manifest or index is there. */
	int (*has)(struct xb_place *place, const struct xb_descriptor *blob, bool *ret,
		   struct xb_error *err);
	/** What is wrong with a blob that has to be there, where that is known without asking
	 *  anybody; a registry is not asked. */
	int (*check)(struct xb_place *place, const struct xb_descriptor *blob,
		     struct xb_error *err);
	/** Give a blob's bytes to `sink`, verified when this returns 0. */
	int (*get)(struct xb_place *place, const struct xb_descriptor *blob,
		   const struct xb_blob_sink *sink, struct xb_error *err);
	/** Open a blob as a file (the caller's); its bytes are not verified. NULL: there are none.
	 *  -EREMOTE, and no error is set: this one is no file, and `get` has to be used. */
	int (*open)(struct xb_place *place, const struct xb_descriptor *blob, int *ret_fd,
		    struct xb_error *err);
	/** (w) Take a blob; bytes that are not those of `blob` are refused. */
	int (*put)(struct xb_place *place, const struct xb_descriptor *blob,
		   const struct xb_blob_source *source, struct xb_error *err);
	/** (w) Take a manifest or an index, `bytes` being those of `document`. */
	int (*put_document)(struct xb_place *place, const struct xb_descriptor *document,
			    struct xb_view bytes, struct xb_error *err);
	/**
	 * (w) Take a blob that `from` has without its bytes coming through here; `*ret` false where
	 * that cannot be. NULL: it never can.
	 */
	int (*mount)(struct xb_place *place, struct xb_place *from,
		     const struct xb_descriptor *blob, bool *ret, struct xb_error *err);
	/** (w) Let `tag` mean `document`, whose bytes `bytes` are. */
	int (*tag)(struct xb_place *place, const char *tag, const struct xb_descriptor *document,
		   struct xb_view bytes, struct xb_error *err);
	/** Append all tags, in any order; none is no error. NULL: they cannot be listed. */
	int (*tags)(struct xb_place *place, struct xb_strv *ret, struct xb_error *err);
	/**
	 * (w) Take back a tag that means `document`. A registry may take back all tags of that
	 * document, or none. NULL: it never can.
	 */
	int (*untag)(struct xb_place *place, const char *tag, const struct xb_descriptor *document,
		     struct xb_error *err);
	/** Place number `number` of those that a blob came from and may be mounted from, borrowed;
	 *  NULL: there are no more. Without this function it is this place alone. */
	struct xb_place *(*origin)(struct xb_place *place, const struct xb_descriptor *blob,
				   size_t number);
	/** Release; NULL: there is nothing to do. */
	void (*free)(struct xb_place *place);
};

/** A place; the first member of each kind's own structure. */
struct xb_place {
	const struct xb_place_ops *ops;
	const char *name; /**< for messages */
};

/** Release a place that was made by itself; NULL is left alone. */
void xb_place_free(struct xb_place *place);

XB_DEFINE_CLEANUP(xb_place_cleanup, struct xb_place, xb_place_free)
#define xb_auto_place XB_CLEANUP(xb_place_cleanup)

/**
 * A source of a blob's bytes for as long as the object lives: a file, or a stream with a thread.
 */
struct xb_place_blob {
	struct xb_blob_source source;
	struct xb_place *place;
	const struct xb_descriptor *descriptor;
	int fd;
	struct xb_pipe *pipe;
};
#define XB_PLACE_BLOB_INIT ((struct xb_place_blob){ .fd = -1 })

/** Open; `blob` (empty on entry) must not move, `place` and `descriptor` are borrowed by it. */
int xb_place_blob_open(struct xb_place *place, const struct xb_descriptor *descriptor,
		       struct xb_place_blob *blob, struct xb_error *err);
/** Close. */
void xb_place_blob_close(struct xb_place_blob *blob);
#define xb_auto_place_blob XB_CLEANUP(xb_place_blob_close)

/** Copy one blob unless it is there: mounted where that can be, else through this machine. */
int xb_place_copy_blob(struct xb_place *to, struct xb_place *from, const struct xb_descriptor *blob,
		       const struct xb_transfer_watch *watch, struct xb_error *err);

#endif
