/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The shape of a tree: what its layers' rosters, one over the other, say is there. It answers as
 * the unpacked tree would, or says that it cannot: layers that depend on more than a roster tells
 * (an archive with a name twice, a directory of which only the unpacker knows the time) are refused
 * and not guessed at.
 *
 * Not thread-safe while layers are added; afterwards any number of threads may look.
 */
#ifndef XB_BUILDER_LAYER_SHAPE_H
#define XB_BUILDER_LAYER_SHAPE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "builder/layer/roster.h"

struct xb_shape;
/** Something with a name; belongs to its shape. */
struct xb_shape_node;

/** An empty tree. */
struct xb_shape *xb_shape_new(void);
/** Release; NULL is left alone. */
void xb_shape_free(struct xb_shape *shape);

XB_DEFINE_CLEANUP(xb_shape_cleanup, struct xb_shape, xb_shape_free)
#define xb_auto_shape XB_CLEANUP(xb_shape_cleanup)

/**
 * Put a layer on top; takes the contents of `roster`. After an error the shape is only good for
 * releasing. Errors: -EBADMSG for what is no roster, -ENOTSUP for a layer of which a roster does
 * not tell enough.
 */
int xb_shape_add(struct xb_shape *shape, struct xb_str *roster, struct xb_error *err);

/** Bytes of memory that a shape takes, roughly. */
size_t xb_shape_size(const struct xb_shape *shape);

/** The root directory. */
const struct xb_shape_node *xb_shape_root(const struct xb_shape *shape);
/** What a directory has under one name, or NULL. */
const struct xb_shape_node *xb_shape_child(const struct xb_shape_node *dir, const char *name);
/** Whether a directory has no entry. */
bool xb_shape_is_empty(const struct xb_shape_node *dir);
/** What it is: XB_ROSTER_FILE, _DIRECTORY, _SYMLINK or _NODE. */
enum xb_roster_kind xb_shape_kind(const struct xb_shape_node *node);
/** Whether it has extended attributes that are kept. */
bool xb_shape_has_attributes(const struct xb_shape_node *node);
/**
 * Fill in mode, owner and time of a directory. False when its time is that of the unpacking,
 * since a layer put something into it and did not say when.
 */
bool xb_shape_stat(const struct xb_shape_node *dir, struct stat *ret);
/** All of a regular file, borrowed; false when the roster does not have it. */
bool xb_shape_content(const struct xb_shape_node *file, struct xb_view *ret);

#endif
