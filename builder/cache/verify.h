/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A full verification of a store: whether everything in it is what it says it is, is there, and is
 * somebody's.
 *
 * Read are: every blob (its digest), every record (its tree and blob are there), index.json and the
 * documents that its tags reach, the database's own structure, caches, and what neither a record
 * nor a running process accounts for. Trees are looked for, not read: nothing says what was in
 * them; nor are layers that were left in registries (origin.h) asked for there. Works beside
 * running builds.
 */
#ifndef XB_BUILDER_CACHE_VERIFY_H
#define XB_BUILDER_CACHE_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "builder/cache/store.h"

/** One thing that is wrong; all borrowed for the call. */
struct xb_flaw {
	const char *kind; /**< "blob", "record", "tag", "index", "database", "cache", "orphan" */
	const char *name; /**< of the thing */
	const char *what; /**< a sentence */
	bool repaired;	  /**< it was removed; index and database: there is a new one */
};

/** What to verify. */
struct xb_verify {
	/** Remove what is wrong: nothing that is right needs it. The database is set aside,
	 * index.json made anew from its copy (-EBUSY when others use a store whose database is
	 * damaged). */
	bool repair;
	/** Told of each flaw; `context` is handed through. */
	void (*visit)(void *context, const struct xb_flaw *flaw);
	void *context;
};

/** What was verified. */
struct xb_verified {
	uint64_t blobs;
	uint64_t bytes; /**< of the blobs */
	uint64_t records;
	uint64_t tags;
	uint64_t flaws;
	uint64_t repaired;
};

/** Verify the store. Flaws are no error: they are counted; errors are those of reading. */
int xb_store_verify(struct xb_store *store, const struct xb_verify *what, struct xb_verified *ret,
		    struct xb_error *err);

#endif
