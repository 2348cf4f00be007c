/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The merged tree of an image: what its layers' surveys, one over the other, come to, as a
 * container made of the image would see it. Nothing is on disk; files are known by what their
 * surveys say.
 *
 * Whiteouts hide what lower layers have. A path leads through the links of layers below, inside the
 * root; what a layer puts below something that is no directory is an error. Not thread-safe while
 * layers are added; afterwards any number of threads may look.
 */
#ifndef XB_BUILDER_IMAGE_TREE_H
#define XB_BUILDER_IMAGE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/str.h"
#include "platforms/facts.h"

struct xb_image_tree;

/** What something is. */
enum xb_image_kind {
	XB_IMAGE_FILE,
	XB_IMAGE_DIRECTORY,
	XB_IMAGE_SYMLINK,
	XB_IMAGE_CHARDEV,
	XB_IMAGE_BLOCKDEV,
	XB_IMAGE_FIFO
};

/** What lies behind one or several names; borrowed from the tree, constant. */
struct xb_image_file {
	enum xb_image_kind kind;
	uint32_t mode; /**< bits of 07777 */
	uint32_t uid;
	uint32_t gid;
	int64_t mtime; /**< seconds */
	uint32_t mtime_ns;
	uint64_t size;	       /**< of a regular file */
	const char *link;      /**< of a symlink its target, else NULL */
	uint32_t device_major; /**< of a device */
	uint32_t device_minor; /**< likewise */
	bool attributes;       /**< it has extended attributes that are kept */
	bool implied; /**< a directory of which no layer says what it is: 0755, root's, time 0 */
	size_t layer; /**< the layer that it comes from, 0 for the lowest */
	size_t names; /**< how many names it has */
	const struct xb_facts *facts; /**< of a regular file that says what it is for, else NULL */
	struct xb_digest digest;      /**< of a regular file's data, if that was wanted */
	struct xb_view text; /**< all of a file that xb_survey_keeps(); `data` NULL of others */
};

/** A name in the tree; its file may have others. Belongs to the tree. */
struct xb_image_node;

/** An empty tree. */
struct xb_image_tree *xb_image_tree_new(void);
/** Release; NULL is left alone. */
void xb_image_tree_free(struct xb_image_tree *tree);

XB_DEFINE_CLEANUP(xb_image_tree_cleanup, struct xb_image_tree, xb_image_tree_free)
#define xb_auto_image_tree XB_CLEANUP(xb_image_tree_cleanup)

/**
 * Put a layer on top, whose survey (builder/layer/survey.h) this is; it need not stay. After an
 * error the tree is only good for releasing. Errors: -EBADMSG for what is no survey, or a layer
 * that cannot be put there.
 */
int xb_image_tree_add(struct xb_image_tree *tree, struct xb_view survey, struct xb_error *err);

/** The root directory. */
const struct xb_image_node *xb_image_tree_root(const struct xb_image_tree *tree);
/** What is behind a name. */
const struct xb_image_file *xb_image_node_file(const struct xb_image_node *node);
/** Append its path, which begins with "/". */
void xb_image_node_path(const struct xb_image_node *node, struct xb_str *out);
/** Its last component; "" for the root. */
const char *xb_image_node_name(const struct xb_image_node *node);
/** The directory that it is in; the root is in itself. */
const struct xb_image_node *xb_image_node_parent(const struct xb_image_node *node);
/** How many entries a directory has. */
size_t xb_image_node_count(const struct xb_image_node *dir);
/** A directory's entry number `index`, in byte order of their names. */
const struct xb_image_node *xb_image_node_at(const struct xb_image_node *dir, size_t index);

/**
 * Find what a path leads to from `from` (NULL: the root), where it begins if it does not begin with
 * "/"; links on the way are followed inside the root, and at its end if `follow`. Returns 0;
 * -ENOENT, -ENOTDIR, -ELOOP.
 */
int xb_image_tree_find(const struct xb_image_tree *tree, const struct xb_image_node *from,
		       const char *path, bool follow, const struct xb_image_node **ret);

/**
 * Call `visit` for everything in the tree, the root first, a directory before what is in it,
 * entries in byte order; it may return non-zero to end this, which is then returned.
 */
int xb_image_tree_each(const struct xb_image_tree *tree,
		       int (*visit)(void *context, const struct xb_image_node *node),
		       void *context);

#endif
