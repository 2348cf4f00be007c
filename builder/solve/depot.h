/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A depot: a cache outside of the store, at a place and under a tag, with one catalog for each
 * platform. Any number of builds write to one at the same time, and none loses what another wrote,
 * although no place has a compare-and-swap. What makes that so:
 *
 * - A writer adds a *part*: an index under a tag of its own, TAG.xb-<32 random digits>, which holds
 *   all that the writer found there and what it adds. Nobody ever writes to a part again.
 * - A part is removed by a later writer alone, after it has added a part that holds all of it.
 * - So the parts that are there at any moment hold, together, everything. A reader lists them,
 * reads them, and lists them again when one has gone meanwhile.
 * - TAG itself is the *whole*, for people and as a short cut: an index like a part, that says which
 *   parts it holds and that need not be read. It may be older than the parts; then these are read.
 *
 * A platform whose catalog a writer does not change keeps its manifest byte for byte. Where tags
 * cannot be listed the whole is all there is, and a writer looks at it until it holds what it
 * wrote. Decision 0042.
 */
#ifndef XB_BUILDER_SOLVE_DEPOT_H
#define XB_BUILDER_SOLVE_DEPOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/cache/catalog.h"
#include "manifest/descriptor.h"
#include "manifest/place.h"
#include "platforms/platform.h"

/** The artifact type of a depot's indexes and manifests. */
#define XB_MEDIA_DEPOT "application/vnd.xbuild.cache.v1"
/** The annotation of a whole that names the parts it holds, with spaces between them. */
#define XB_ANNOTATION_PARTS "vnd.xbuild.cache.parts"
/** The annotation of a part with its own name: no other document is the same, so that a registry
 *  which removes documents and not tags removes nothing else. */
#define XB_ANNOTATION_PART "vnd.xbuild.cache.part"
/** What stands in the tag of a part between the depot's tag and the part's name. */
#define XB_DEPOT_PART ".xb-"
/** Parts that are read of one depot. */
#define XB_DEPOT_PARTS 4096
/** Platforms that a depot may have. */
#define XB_DEPOT_PLATFORMS 256

/** Where a depot is; all borrowed. */
struct xb_depot {
	struct xb_place *place;
	const char *tag;    /**< of the whole */
	const char *digest; /**< of one index, which then is all that is read; NULL: not so */
	const char *name;   /**< as users know it, for messages */
};

/** What a depot has for one platform. */
struct xb_depot_page {
	struct xb_platform platform;  /**< normalised */
	struct xb_descriptors sheets; /**< manifests with catalogs, each once */
	bool read;		      /**< `catalog` is all of them together */
	struct xb_catalog catalog;
};

/** What a look at a depot has shown. Starts as `{ 0 }`. */
struct xb_depot_view {
	struct XB_ARRAY(struct xb_depot_page) pages;
	struct xb_descriptor whole;  /**< what TAG means; empty: it is not there */
	bool foreign;		     /**< that is something else, and nothing was read of it */
	bool listed;		     /**< parts could be listed */
	struct xb_strv parts;	     /**< the tags of those that are there */
	struct xb_descriptors roots; /**< what each of them means; empty: it was not looked at */
	size_t loose;		     /**< how many of them the whole does not hold */
};

/** Release. */
void xb_depot_view_clear(struct xb_depot_view *view);
#define xb_auto_depot_view XB_CLEANUP(xb_depot_view_clear)

/**
 * Read which catalogs there are; none at all is no error. `ret` is empty on entry. Errors, naming
 * the depot: those of the place; -EBADMSG and -EFBIG for documents that are not as they should be.
 */
int xb_depot_look(const struct xb_depot *depot, struct xb_depot_view *ret, struct xb_error *err);
/** The page of a platform (normalised here), borrowed, or NULL. */
struct xb_depot_page *xb_depot_find(struct xb_depot_view *view, const struct xb_platform *platform);
/** Read a page's catalog, unless that has been done. Errors: as xb_depot_look(). */
int xb_depot_read(const struct xb_depot *depot, struct xb_depot_page *page, struct xb_error *err);

/** What is added to a depot: for each platform (normalised) once, records, and where blobs are. */
struct xb_depot_entry {
	struct xb_platform platform;
	struct xb_catalog catalog;
};
struct xb_depot_entries XB_ARRAY(struct xb_depot_entry);

/** Release. */
void xb_depot_entries_clear(struct xb_depot_entries *entries);
#define xb_auto_depot_entries XB_CLEANUP(xb_depot_entries_clear)
/** The catalog of a platform (normalised here), made where it is missing. */
struct xb_catalog *xb_depot_entry(struct xb_depot_entries *entries,
				  const struct xb_platform *platform);

/** How to write; all borrowed. */
struct xb_depot_writing {
	const struct xb_depot_entries *entries;
	/** The place that has the blob of a record; `context` is handed through. */
	struct xb_place *(*source)(void *context, const struct xb_catalog_record *record);
	void *context;
	int64_t now; /**< seconds since 1970: what was not used for too long goes */
};

/** What came of it. */
struct xb_depot_written {
	size_t records; /**< that are there now for the platforms that were written */
	size_t added;	/**< that were not there before */
	size_t blobs;	/**< that were sent */
	size_t dropped; /**< that were too old, or too many */
};

/**
 * Add records to a depot, which is made where there is none. When this returns 0 they are there,
 * and everything that others have added, before and meanwhile, is too. An interruption at any
 * moment leaves the depot as it was, or with all of it. Errors, naming the depot: -EEXIST (the tag
 * is something else: nothing was written); those of xb_depot_look() and of the places.
 */
int xb_depot_write(const struct xb_depot *depot, const struct xb_depot_writing *what,
		   struct xb_depot_written *ret, struct xb_error *err);

#endif
