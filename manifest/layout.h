/* SPDX-License-Identifier: Apache-2.0 */
/**
 * An OCI image layout: a directory with `oci-layout`, `index.json` and `blobs/<algorithm>/<hex>`.
 *
 * The layout is used through one directory descriptor. Blobs are opened below it without following
 * a link, never block (a FIFO is refused), and must have exactly the size that their descriptor
 * says; what is read into memory is verified against its digest, also from our own store. What
 * somebody else's layout says is never used as a path but for a parsed digest.
 *
 * Writing: a blob is written to a file without a name (or a hidden one, where the file system
 * cannot), hashed while written, synced if asked, then given its name: it is whole or it is not
 * there. index.json is replaced whole, under a lock on the layout's directory, so that any number
 * of processes may tag at the same time. A `struct xb_layout` may be shared by threads.
 * Source: OCI image-spec 1.1 image-layout.md.
 */
#ifndef XB_MANIFEST_LAYOUT_H
#define XB_MANIFEST_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/str.h"
#include "manifest/descriptor.h"
#include "manifest/index.h"

struct xb_layout;

/** Open the layout in directory `path`. -EBADMSG when it is not a layout of version 1.x. */
int xb_layout_open(const char *path, struct xb_layout **ret, struct xb_error *err);
/**
 * As xb_layout_open(), with `path` relative to `dirfd` ("." being `dirfd` itself), which stays the
 * caller's. No component may be a symbolic link that leaves `dirfd`.
 */
int xb_layout_open_at(int dirfd, const char *path, struct xb_layout **ret, struct xb_error *err);
/**
 * Make `path` (and missing parents, mode 0755) a layout, or open it when it is one. A directory
 * that holds other things is -EEXIST, fault XB_FAULT_USAGE.
 */
int xb_layout_create(const char *path, struct xb_layout **ret, struct xb_error *err);
/** As xb_layout_create() for the directory `dirfd` itself, whatever else it holds (the store). */
int xb_layout_create_at(int dirfd, struct xb_layout **ret, struct xb_error *err);
/** Release; NULL is left alone. */
void xb_layout_free(struct xb_layout *layout);

XB_DEFINE_CLEANUP(xb_layout_cleanup, struct xb_layout, xb_layout_free)
#define xb_auto_layout XB_CLEANUP(xb_layout_cleanup)

/** Its path, for messages alone, borrowed. */
const char *xb_layout_path(const struct xb_layout *layout);
/** The directory's descriptor, borrowed. */
int xb_layout_dirfd(const struct xb_layout *layout);

/**
 * Split "DIR[:TAG][@DIGEST]" as people write it; a ':' before the last '/' belongs to the
 * directory. Returns the directory, malloc()ed; `*ret_tag` gets the digest if there is one, else
 * the tag, else it is left as it was.
 */
char *xb_layout_split_name(const char *text, char **ret_tag);

/** Read index.json into `ret` (empty on entry). A missing one is an empty index. */
int xb_layout_index(const struct xb_layout *layout, struct xb_index *ret, struct xb_error *err);
/**
 * Find an entry of index.json. `name` is a tag (the annotation org.opencontainers.image.ref.name,
 * or containerd's full name), a digest, or NULL: the only entry, else the one tagged `latest`. A
 * digest that index.json does not list is looked up among the blobs and must be an index or a
 * manifest. `ret` is empty on entry.
 * Errors: -ENOENT with the names that there are; -EEXIST when two entries of different content have
 * the name.
 */
int xb_layout_resolve(const struct xb_layout *layout, const char *name, struct xb_descriptor *ret,
		      struct xb_error *err);

/**
 * Open a blob for reading, positioned at its start; its bytes are not verified. `*ret_fd` is the
 * caller's. Errors: -ENOENT (missing), -ELOOP (a link), -EBADMSG (not a regular file, or not `size`
 * bytes).
 */
int xb_layout_blob_open(const struct xb_layout *layout, const struct xb_digest *digest,
			uint64_t size, int *ret_fd, struct xb_error *err);
/** The size of a blob that no descriptor tells of. Errors: as xb_layout_blob_open(). */
int xb_layout_blob_size(const struct xb_layout *layout, const struct xb_digest *digest,
			uint64_t *ret_size, struct xb_error *err);
/**
 * Append a blob of at most `limit` bytes to `text` and verify its size and digest; on failure
 * `text` is as it was. Errors: as xb_layout_blob_open(); -EFBIG above `limit` or the string's
 * maximum; -EBADMSG when the digest differs.
 */
int xb_layout_blob_read(const struct xb_layout *layout, const struct xb_descriptor *descriptor,
			size_t limit, struct xb_str *text, struct xb_error *err);
/** Whether a regular file of `size` bytes is there under this digest; its bytes are not looked at.
 */
bool xb_layout_blob_exists(const struct xb_layout *layout, const struct xb_digest *digest,
			   uint64_t size);

/** A blob that is being written; used by one thread at a time. */
struct xb_blob_writer;

/**
 * Start a blob. With `expected` (and its size) the commit fails unless the bytes are those; sizes
 * above `expected_size` are refused at once. NULL: any bytes, hashed with SHA-256.
 */
int xb_blob_writer_new(struct xb_layout *layout, const struct xb_digest *expected,
		       uint64_t expected_size, struct xb_blob_writer **ret, struct xb_error *err);
/** Append bytes. Errors: those of write(); -EBADMSG when there are more than expected. */
int xb_blob_writer_write(struct xb_blob_writer *w, const void *data, size_t len,
			 struct xb_error *err);
/**
 * Give the blob its name; with `sync` its bytes and its name are on the disk afterwards. A blob of
 * that digest and size that is there already is kept, one of another size is replaced. `ret_digest`
 * and `ret_size` may be NULL. The writer can only be freed afterwards.
 */
int xb_blob_writer_commit(struct xb_blob_writer *w, bool sync, struct xb_digest *ret_digest,
			  uint64_t *ret_size, struct xb_error *err);
/** Release; without a commit nothing stays. NULL is left alone. */
void xb_blob_writer_free(struct xb_blob_writer *w);

XB_DEFINE_CLEANUP(xb_blob_writer_cleanup, struct xb_blob_writer, xb_blob_writer_free)
#define xb_auto_blob_writer XB_CLEANUP(xb_blob_writer_cleanup)

/** Add a blob from memory; `*ret` (may be NULL) gets its digest. */
int xb_layout_add_bytes(struct xb_layout *layout, struct xb_view bytes, bool sync,
			struct xb_digest *ret, struct xb_error *err);
/**
 * Add `size` bytes from the start of the regular file `fd` as the blob `digest`: reflinked or
 * copied in the kernel where that works. The bytes are trusted to be those of `digest`: for files
 * that this process wrote and hashed itself.
 */
int xb_layout_add_fd(struct xb_layout *layout, int fd, const struct xb_digest *digest,
		     uint64_t size, bool sync, struct xb_error *err);
/** Copy one blob from another layout, verifying it on the way; one that is there is kept. */
int xb_layout_add_blob(struct xb_layout *layout, const struct xb_layout *from,
		       const struct xb_digest *digest, uint64_t size, bool sync,
		       struct xb_error *err);
/**
 * Bring all blobs to the disk that were added without `sync`, and their names, in one go; for
 * before a tag names them. It is the file system that is synced. Errors: those of writing.
 */
int xb_layout_sync(const struct xb_layout *layout, struct xb_error *err);

/**
 * Point `tag` at `descriptor`: the entry of index.json with that ref.name is replaced, all others
 * stay as they are. `tag` NULL adds the descriptor without a name unless its digest is listed. The
 * descriptor's other annotations are written with it.
 * Errors: -EINVAL for a tag that the layout specification does not allow; those of writing.
 */
int xb_layout_tag(struct xb_layout *layout, const struct xb_descriptor *descriptor, const char *tag,
		  bool sync, struct xb_error *err);
/** Remove the entry tagged `tag`; -ENOENT when there is none. Blobs stay. */
int xb_layout_untag(struct xb_layout *layout, const char *tag, bool sync, struct xb_error *err);

#endif
