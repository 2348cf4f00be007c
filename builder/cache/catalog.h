/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A catalog: what a cache outside of the store knows of steps' results for one platform. A record
 * says which layer a step with this key made; records are merged by key, never overwritten.
 *
 * As documents it is an artifact's manifest, whose config is the list of records and whose layers
 * are the blobs that they name, so that registries keep them and any tool copies them:
 *
 *	{"version":1,"records":[{"key":"step:sha256:…","diffID":"sha256:…","blob":"sha256:…",
 *	  "created":1700000000,"used":1700000000,"title":"RUN …"}]}
 *
 * What comes out of xb_catalog_parse() has been checked: keys are steps', digests digests, each
 *blob is a layer of the manifest with a layer's media type. Decision 0042.
 */
#ifndef XB_BUILDER_CACHE_CATALOG_H
#define XB_BUILDER_CACHE_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/map.h"
#include "builder/cache/record.h"
#include "manifest/descriptor.h"

/** The media type of the list of records. */
#define XB_MEDIA_CATALOG "application/vnd.xbuild.cache.records.v1+json"

/** Records that a catalog may have: a manifest of as many layers stays far below 4 MiB. */
#define XB_CATALOG_RECORDS 8192
/** Bytes that a list of records may have. */
#define XB_MAX_CATALOG ((size_t)8 << 20)
/** Bytes that the blobs of a catalog may have together when it is written: 64 GiB. */
#define XB_CATALOG_BYTES ((uint64_t)64 << 30)
/** Seconds after which a record that no build has used is dropped: 90 days. */
#define XB_CATALOG_AGE ((int64_t)90 * 86400)
/** Seconds by which `used` has to differ to be worth writing: a day. */
#define XB_CATALOG_FRESH ((int64_t)86400)

/** One record. Text is owned where a catalog has it, else borrowed. */
struct xb_catalog_record {
	char key[XB_RECORD_KEY_SIZE];
	struct xb_digest diff_id;
	struct xb_digest blob;
	uint64_t blob_size;	/**< bytes */
	const char *media_type; /**< OCI's spelling, static */
	int64_t created;	/**< seconds since 1970, not negative */
	int64_t used;		/**< when a build last had use of it, likewise */
	char *title;		/**< what made it, for people; NULL: nothing is known */
};

/** A catalog. Starts as `{ 0 }`. */
struct xb_catalog {
	struct XB_ARRAY(struct xb_catalog_record *) records;
	struct xb_map *by_key; /**< NULL while there are none */
};

/** Release. */
void xb_catalog_clear(struct xb_catalog *catalog);
#define xb_auto_catalog XB_CLEANUP(xb_catalog_clear)

/** The record of a key, borrowed, or NULL. */
const struct xb_catalog_record *xb_catalog_find(const struct xb_catalog *catalog, const char *key);

/**
 * Add a copy of a record. Of two of one key the one whose digests come first in the order of bytes
 * stays, whichever was there before: the order of merging makes no difference. `used` becomes the
 * later one. Returns whether something changed that is worth writing.
 */
bool xb_catalog_add(struct xb_catalog *catalog, const struct xb_catalog_record *record);
/** Add all records of another one. */
void xb_catalog_merge(struct xb_catalog *catalog, const struct xb_catalog *from);

/**
 * Remove what has not been used for XB_CATALOG_AGE at `now`, then what was used longest ago, until
 * the catalog is within its bounds. Returns how many records that were.
 */
size_t xb_catalog_prune(struct xb_catalog *catalog, int64_t now);
/** Remove records for which `keep` says no; `context` is handed through. Returns how many. */
size_t xb_catalog_filter(struct xb_catalog *catalog,
			 bool (*keep)(void *context, const struct xb_catalog_record *record),
			 void *context);

/**
 * Read a list of records into `ret`, empty on entry and on failure. `blobs` are the layers of its
 * manifest. Errors: -EBADMSG, -EFBIG (more than XB_CATALOG_RECORDS or XB_MAX_CATALOG),
 * -EPROTONOSUPPORT (another version).
 */
int xb_catalog_parse(struct xb_view text, const struct xb_descriptors *blobs,
		     struct xb_catalog *ret, struct xb_error *err);
/**
 * Append the list of records, sorted by key, to `text`, and the blobs that they name, sorted by
 * digest and each once, to `blobs`. Equal catalogs give equal bytes.
 */
int xb_catalog_write(const struct xb_catalog *catalog, struct xb_str *text,
		     struct xb_descriptors *blobs, struct xb_error *err);

/** The same as a record of the store, with neither tree nor note. */
struct xb_record xb_catalog_to_record(const struct xb_catalog_record *record);
/** A packed layer's record as one of a catalog's; its title is borrowed. */
struct xb_catalog_record xb_catalog_from_record(const struct xb_record *record, int64_t used);
/** The blob of a record; `ret` is empty on entry. */
void xb_catalog_blob(const struct xb_catalog_record *record, struct xb_descriptor *ret);

#endif
