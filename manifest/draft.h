/* SPDX-License-Identifier: Apache-2.0 */
/**
 * An index that is being changed: entries are added, replaced, removed, described anew, and those
 * that nobody touched keep their bytes.
 *
 * A draft that was read and not changed is written as it was read, byte for byte. Entries without a
 * platform (artifacts) and attestations are entries like others: what removes or replaces an image
 * takes the attestations with it that say they are of it.
 */
#ifndef XB_MANIFEST_DRAFT_H
#define XB_MANIFEST_DRAFT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/array.h"
#include "base/error.h"
#include "base/str.h"
#include "manifest/descriptor.h"
#include "manifest/index.h"
#include "platforms/platform.h"

/** The most entries of an index that is changed; real ones have some dozens. */
#define XB_MAX_DRAFT 1024

/** One entry; owns what it holds. */
struct xb_draft_entry {
	struct xb_descriptor descriptor;
	char *text; /**< its bytes in the document that it comes from; NULL: `descriptor` counts */
	char *source; /**< where it comes from, for messages, or NULL */
};
struct xb_draft_entries XB_ARRAY(struct xb_draft_entry);

/** Release all entries. */
void xb_draft_entries_clear(struct xb_draft_entries *entries);
#define xb_auto_draft_entries XB_CLEANUP(xb_draft_entries_clear)
/** Append a copy of an entry; `text` and `source` as in the struct. */
void xb_draft_entries_add(struct xb_draft_entries *entries, const struct xb_descriptor *d,
			  const char *text, const char *source);

/** A draft. Starts as `{ 0 }`. */
struct xb_draft {
	struct xb_index head; /**< all but the entries: `head.manifests` is empty */
	struct xb_draft_entries entries;
	char *original; /**< the document as it was read, NULL: there was none */
	bool changed;	/**< it is no longer that; whoever changes `head` sets it */
};

/** Release what it owns. */
void xb_draft_clear(struct xb_draft *draft);
#define xb_auto_draft XB_CLEANUP(xb_draft_clear)

/** Read an index into `ret` (empty on entry, empty on failure). Errors: as xb_index_parse(),
 *  -E2BIG above XB_MAX_DRAFT entries. */
int xb_draft_parse(struct xb_view text, const char *media_type, struct xb_draft *ret,
		   struct xb_error *err);
/** Append the document to `s`. -EFBIG when it does not fit. */
int xb_draft_write(const struct xb_draft *draft, struct xb_str *s, struct xb_error *err);

/** Whether an entry is the image of a platform, and neither attestation nor artifact. */
bool xb_draft_is_image(const struct xb_draft_entry *entry);

/** Places of entries in a draft, rising; starts as `{ 0 }`. */
struct xb_draft_places XB_ARRAY(size_t);

/**
 * Find what `name` means: a digest, or a platform, which every image of it is (one that names no
 * OS version means images of any). `ret` is empty on entry.
 * Errors: -EINVAL, fault usage: neither; -ENOENT, fault platform: there is none, with a list of
 * what there is; -EEXIST, fault usage: images of different platforms are meant.
 */
int xb_draft_find(const struct xb_draft *draft, const char *name, struct xb_draft_places *ret,
		  struct xb_error *err);

/**
 * Remove the entry at `at`, and attestations of it unless another entry has its digest; a line for
 * each of these goes to `notes`. Entries behind it move forward.
 */
void xb_draft_remove(struct xb_draft *draft, size_t at, struct xb_strv *notes);

/**
 * Remove attestations of `digest`, unless an entry has it, with a line in `notes` for each. For
 * callers that gave an entry another digest.
 */
void xb_draft_forget(struct xb_draft *draft, const struct xb_digest *digest, struct xb_strv *notes);

/**
 * Whether no platform is there twice, normalised: -EEXIST, fault usage, naming both entries. What
 * is there twice with one digest is no error: xb_draft_join() takes it once.
 */
int xb_draft_check(const struct xb_draft_entries *entries, struct xb_error *err);

/**
 * Take in `entries` (checked as above): an image takes the place of those for its platform, with a
 * line in `notes` for each digest that goes; all others go to the end. What is there already with
 * platform and digest stays as it is.
 */
void xb_draft_join(struct xb_draft *draft, const struct xb_draft_entries *entries,
		   struct xb_strv *notes);

/**
 * Keep the images at `keep` (of one xb_draft_find() or more) with their attestations, and entries
 * that are of no image; remove all others.
 */
void xb_draft_keep(struct xb_draft *draft, const struct xb_draft_places *keep);

/** The entry has been changed: from now on its descriptor counts. */
void xb_draft_touch(struct xb_draft *draft, size_t at);

#endif
