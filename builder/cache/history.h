/* SPDX-License-Identifier: Apache-2.0 */
/**
 * History: the last builds, with what became of them and what their steps printed; and how long
 * steps took.
 *
 * A build is added once, when it has ended, in one transaction: it is there whole, or, when its
 * process was killed before, not at all. The last XB_HISTORY_BUILDS are kept; what is said of a
 * build is JSON that this module does not look into. Thread-safe. Faults are XB_FAULT_STORE.
 */
#ifndef XB_BUILDER_CACHE_HISTORY_H
#define XB_BUILDER_CACHE_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/str.h"
#include "builder/cache/store.h"

/** Builds that are kept; the oldest goes first. */
#define XB_HISTORY_BUILDS 200
/** Durations that are kept; the oldest go first. */
#define XB_HISTORY_DURATIONS 20000
/** Bytes of a build's name with its NUL. */
#define XB_HISTORY_ID_SIZE 33
/** Bytes that the description of one build may have. */
#define XB_HISTORY_MAX_WHAT ((size_t)16 << 20)

/** What a step printed; text borrowed. */
struct xb_history_log {
	size_t step; /**< its number in the build */
	const char *text;
};

/** How long a step took. */
struct xb_history_took {
	const struct xb_digest *step; /**< its identity in the plan (builder/plan/plan.h) */
	uint64_t ns;		      /**< nanoseconds, without waiting for a worker */
};

/** A build that has ended; all borrowed. */
struct xb_history_build {
	const char *id;	  /**< 32 hexadecimal digits, xb_history_new_id() */
	const char *what; /**< a JSON object */
	const struct xb_history_log *logs;
	size_t log_count;
	const struct xb_history_took *took;
	size_t took_count;
};

/** Make the name of a build: 32 random hexadecimal digits. */
void xb_history_new_id(char ret[XB_HISTORY_ID_SIZE]);
/** Add a build and the durations of its steps; drop the oldest. */
int xb_history_add(struct xb_store *store, const struct xb_history_build *build,
		   struct xb_error *err);

/**
 * Call `visit` for each build, newest first, until it returns non-zero; returns what the last call
 * returned or a negative errno. `visit` must not use the store.
 */
int xb_history_each(struct xb_store *store,
		    int (*visit)(void *context, const char *id, const char *what), void *context,
		    struct xb_error *err);
/**
 * Find a build by its name or the beginning of it; "" is the newest. Fills `ret_id` and appends to
 * `what`. Errors: -ENOENT, -EEXIST when several begin so.
 */
int xb_history_find(struct xb_store *store, const char *id, char ret_id[XB_HISTORY_ID_SIZE],
		    struct xb_str *what, struct xb_error *err);
/** Call `visit` for each log of the build of this (whole) name, in order of its steps; as above. */
int xb_history_logs(struct xb_store *store, const char *id,
		    int (*visit)(void *context, const struct xb_history_log *log), void *context,
		    struct xb_error *err);
/** Remove the build of this (whole) name and its logs; NULL: all builds. None is not an error. */
int xb_history_remove(struct xb_store *store, const char *id, struct xb_error *err);

/**
 * How long each of `count` steps (identities in the plan) took when it was last carried out:
 * nanoseconds to `ret`, 0 where that is not known. A few microseconds a step.
 */
int xb_history_durations(struct xb_store *store, const struct xb_digest *const *steps, size_t count,
			 uint64_t *ret, struct xb_error *err);

#endif
