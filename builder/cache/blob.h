/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Blobs of the store: immutable, named by their digest, whole or not there.
 *
 * A blob is written to a file of ingest/ and renamed to blobs/<algorithm>/<hex>. It is on the disk
 * before a tag names it (builder/cache/durable.h), what xb_blob_import() copies at once. Blobs that
 * this process made, opened or asked for are held by its lease. Any thread may call any function;
 * one `struct xb_ingest` belongs to one thread at a time.
 */
#ifndef XB_BUILDER_CACHE_BLOB_H
#define XB_BUILDER_CACHE_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/str.h"
#include "builder/cache/store.h"
#include "manifest/descriptor.h"

/** A blob being written. */
struct xb_ingest;

/** Start a blob. */
int xb_blob_begin(struct xb_store *store, struct xb_ingest **ret, struct xb_error *err);
/** The file to write to (borrowed, mode 0600), for writers that hash what they write themselves. */
int xb_ingest_fd(const struct xb_ingest *ingest);
/** Write and hash `len` bytes. */
int xb_ingest_write(struct xb_ingest *ingest, const void *data, size_t len, struct xb_error *err);
/** Drop a blob that was not committed; the object is released in any case. NULL is left alone. */
void xb_ingest_free(struct xb_ingest *ingest);

XB_DEFINE_CLEANUP(xb_ingest_cleanup, struct xb_ingest, xb_ingest_free)
#define xb_auto_ingest XB_CLEANUP(xb_ingest_cleanup)

/**
 * Publish a blob that was written with xb_ingest_write() alone. `expected` is what it must be, or
 * NULL; `ret` and `ret_size` (each may be NULL) get digest and size in bytes.
 * Errors: -EBADMSG when it is not what was expected.
 */
int xb_blob_commit(struct xb_ingest *ingest, const struct xb_digest *expected,
		   struct xb_digest *ret, uint64_t *ret_size, struct xb_error *err);
/**
 * Publish a blob that the caller wrote to xb_ingest_fd() and hashed: `digest` is believed, `size`
 * is compared with the file's (-EBADMSG).
 */
int xb_blob_commit_as(struct xb_ingest *ingest, const struct xb_digest *digest, uint64_t size,
		      struct xb_error *err);

/** Store a document; `ret` (may be NULL) gets its digest. One that is there and damaged is
 * replaced. */
int xb_blob_put(struct xb_store *store, struct xb_view data, struct xb_digest *ret,
		struct xb_error *err);
/**
 * Copy `fd` from its position to its end into the store (a reflink where the file system can),
 * checking size and digest: -EBADMSG when they differ. Nothing is read when the blob is there.
 */
int xb_blob_import(struct xb_store *store, int fd, const struct xb_digest *digest, uint64_t size,
		   struct xb_error *err);

/** Whether the blob is there. */
bool xb_blob_has(struct xb_store *store, const struct xb_digest *digest);
/** Likewise, without holding it. */
bool xb_blob_exists(const struct xb_store *store, const struct xb_digest *digest);
/** Whether it is there and has the size that it should have. */
bool xb_blob_is_whole(struct xb_store *store, const struct xb_descriptor *blob);
/**
 * Open a blob for reading; `ret_size` may be NULL. Its bytes are not checked: whoever reads it as
 * a stream hashes it. Errors: -ENOENT.
 */
int xb_blob_open(struct xb_store *store, const struct xb_digest *digest, int *ret_fd,
		 uint64_t *ret_size, struct xb_error *err);
/**
 * Append a whole document to `text`, which bounds it (-EFBIG), and check its digest (-EBADMSG).
 */
int xb_blob_read(struct xb_store *store, const struct xb_digest *digest, struct xb_str *text,
		 struct xb_error *err);
/** Read a blob through and check its digest: -EBADMSG, and the blob is removed, when it is wrong.
 */
int xb_blob_verify(struct xb_store *store, const struct xb_digest *digest, struct xb_error *err);

#endif
