/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Publishing: an image gets to its places, is looked at there, and only then do tags move.
 *
 * Look (what does each tag mean now, which platforms would it gain and lose), check (no tag loses
 * one unless that is allowed), copy (blobs, manifests, index: all without a name), read back (what
 * arrived is whole), look and check again, since others publish too, tag, and look whether the tag
 * stayed. A registry has no compare-and-swap: between the last look and the tag another may come.
 */
#ifndef XB_MANIFEST_PUBLISH_H
#define XB_MANIFEST_PUBLISH_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"
#include "base/str.h"
#include "manifest/copy.h"
#include "manifest/descriptor.h"
#include "manifest/place.h"

/** One name that an image is published under. Starts as `{ 0 }`; owns what is not borrowed. */
struct xb_tag_move {
	struct xb_place *place;	     /**< borrowed; moves of one repository share it */
	char *name;		     /**< as users know it, for messages */
	char *tag;		     /**< NULL: by digest alone, nothing is named */
	struct xb_descriptor before; /**< what it means now; empty: nothing */
	struct xb_strv gained, lost; /**< platforms, normalised; filled in by a look */
	bool moved;		     /**< it has been tagged */
};
struct xb_tag_moves XB_ARRAY(struct xb_tag_move);

/** Release. */
void xb_tag_moves_clear(struct xb_tag_moves *moves);
#define xb_auto_tag_moves XB_CLEANUP(xb_tag_moves_clear)
/** Add one; `place` is borrowed, the others are copied. */
void xb_tag_moves_add(struct xb_tag_moves *moves, struct xb_place *place, const char *name,
		      const char *tag);

/**
 * Fill in what the tags mean now and what `root` of `from` would change. Errors: those of the
 * places. A tag whose documents cannot be read is an error, too: nobody can say what it would lose.
 */
int xb_publish_look(struct xb_tag_moves *moves, struct xb_place *from,
		    const struct xb_descriptor *root, struct xb_error *err);
/** Append a line for each move: name, digest before and after, platforms gained and lost. */
void xb_publish_print(const struct xb_tag_moves *moves, const struct xb_descriptor *root,
		      struct xb_str *text);

/** How to publish; all is borrowed. */
struct xb_publish_options {
	struct xb_transfer_options copy;
	bool allow_drop; /**< a tag may lose platforms */
	/** Platforms, normalised, that a tag may lose all the same; NULL: none. */
	const struct xb_strv *may_lose;
	/** What each tag has to mean before it is moved; NULL: whatever it means. */
	const struct xb_digest *expected;
};

/**
 * Whether the tags may move, after a look. -EPERM, fault proof, naming tag and platforms, when a
 * tag would lose one; -EAGAIN, fault proof, when a tag does not mean what it has to.
 */
int xb_publish_check(const struct xb_tag_moves *moves, const struct xb_publish_options *options,
		     struct xb_error *err);

/**
 * Do it all. On an error the message says which tags have moved and which have not; `moved` of
 * each says so, too.
 */
int xb_publish(struct xb_tag_moves *moves, struct xb_place *from, const struct xb_descriptor *root,
	       const struct xb_publish_options *options, struct xb_error *err);

#endif
