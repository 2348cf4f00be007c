/* SPDX-License-Identifier: Apache-2.0 */
/**
 * From a directory to a layer blob: a tar whose bytes are a pure function of the tree, compressed
 * with bytes that depend on the tar, the level and the library's version alone.
 *
 * In the tar: names relative, sorted by byte value within each directory, a directory before what
 * is in it and a directory's name with a slash at its end; the root directory itself has no entry.
 * Owners are numbers, the name fields empty. Times are whole seconds, cut and not rounded: a
 * fraction would need a pax header for each entry and does not survive Docker's own tools; negative
 * ones are 0. Pax headers appear only for what a ustar header cannot say: a name or link target of
 * more than 100 bytes (the ustar prefix is not used, which readers disagree about), an id above
 * 2097151, a size of 8 GiB or more, extended attributes. Of several hard links the first in
 * sorted order is the file, the others are links to it. Sockets are left out, as tar has no type
 * for them. Holes are read as zeros without reading them. Attributes that are kept: `user.*` but
 * not `user.overlay.*`, `security.capability` in its version 2 form, POSIX ACLs.
 *
 * Source: OCI image-spec 1.1 layer.md; POSIX.1-2017 pax, "ustar interchange format".
 */
#ifndef XB_BUILDER_LAYER_PACK_H
#define XB_BUILDER_LAYER_PACK_H

#include "base/error.h"
#include "builder/layer/copy.h"
#include "builder/layer/layer.h"

/**
 * Write the difference that an overlay's upper directory holds as a layer blob to `out_fd`, in one
 * pass. Whiteouts become `.wh.NAME`, opaque directories `.wh..wh..opq` before all else in them.
 * `upper_fd` is the upper directory itself, not a mounted view.
 *
 * Errors: of reading and writing; -EINVAL (fault step) for a file whose name begins with `.wh.`,
 * which no layer can hold; -EILSEQ when a file changed its size while it was read; -ECANCELED
 * (fault interrupted) when the options' flag was set, which is looked at after each piece.
 */
int xb_layer_pack(int upper_fd, const struct xb_pack_options *options, int out_fd,
		  struct xb_layer_info *ret, struct xb_error *err);

/** A directory whose contents are packed as if they had been copied; all is borrowed. */
struct xb_pack_graft {
	int place;	  /**< an empty directory of the upper one, where the copy would be */
	int source;	  /**< the directory that is copied */
	const char *path; /**< of it, as the filter of `how` knows it; "" for its root */
	const struct xb_copy_options *how;
};

/**
 * As xb_layer_pack(), with what xb_copy_path() would make of a directory in one of its directories:
 * the same bytes, without the copy. Returns 0, or 1 when the copy has to be made: where nothing
 * would be copied, and where something has extended attributes, is neither file, directory nor
 * link, cannot be read, or changed while it was read; `ret` and `err` are untouched then.
 */
int xb_layer_pack_graft(int upper_fd, const struct xb_pack_graft *graft,
			const struct xb_pack_options *options, int out_fd,
			struct xb_layer_info *ret, struct xb_error *err);

/** A tree and the directory of the tar that it goes into. */
struct xb_pack_tree {
	int fd;
	const char *directory; /**< one component; NULL: the tree is the tar's root */
};

/**
 * As xb_layer_pack(), for whole trees (views of xb_tree_mount(), `type=tar`), one after the other:
 * device nodes 0/0 and names in `.wh.` have no special meaning and are written as what they are.
 * The directories around trees are 0755, owned by 0:0, of the time `epoch`, else 0.
 */
int xb_tree_pack(const struct xb_pack_tree *trees, size_t count,
		 const struct xb_pack_options *options, int out_fd, struct xb_layer_info *ret,
		 struct xb_error *err);

/**
 * Compress the tar that is the regular file `tar_fd`, from its start, as it is: a layer of others
 * in another form. It is not looked into, so it is cut where pieces are full. Errors as above.
 */
int xb_tar_pack(int tar_fd, const struct xb_pack_options *options, int out_fd,
		struct xb_layer_info *ret, struct xb_error *err);

#endif
