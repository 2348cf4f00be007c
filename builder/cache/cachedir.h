/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The directories of `RUN --mount=type=cache`, and others that are kept from build to build until
 * they are pruned (repositories of git remotes): caches/<hash of a key>[.N]/fs.
 *
 * Whoever uses one holds a lock on caches/<…>, which is not the directory that a step sees: a step
 * may lock its own. What is in a cache is not synced: after a crash of the machine it may be
 * anything, as after a crash of the program that wrote it.
 */
#ifndef XB_BUILDER_CACHE_CACHEDIR_H
#define XB_BUILDER_CACHE_CACHEDIR_H

#include "base/error.h"
#include "builder/cache/store.h"

/** Who else may use the cache meanwhile. */
enum xb_cachedir_use {
	XB_CACHEDIR_SHARED,  /**< others who share it */
	XB_CACHEDIR_PRIVATE, /**< nobody: the first one of the key's that is free, or a new one */
	XB_CACHEDIR_LOCKED   /**< nobody: -EAGAIN until it is free */
};

/** A cache in use. */
struct xb_cachedir;

/** How a cache begins. */
struct xb_cachedir_seed {
	/** Fill the empty directory `fs` (mode 0755, owner 0), which nobody else sees yet. */
	int (*fill)(void *context, int fs, struct xb_error *err);
	void *context;
};

/**
 * Take the cache of `key` (any text), making it where it is missing. Errors: -EAGAIN when others
 * use it in a way that excludes this one; those of `seed`; those of the files, fault store.
 */
int xb_cachedir_take(struct xb_store *store, const char *key, enum xb_cachedir_use use,
		     const struct xb_cachedir_seed *seed, struct xb_cachedir **ret,
		     struct xb_error *err);
/** A descriptor of the directory that a step sees, borrowed. */
int xb_cachedir_fd(const struct xb_cachedir *dir);
/** The absolute path of that directory, borrowed. */
const char *xb_cachedir_path(const struct xb_cachedir *dir);
/** Give it up; NULL is left alone. */
void xb_cachedir_free(struct xb_cachedir *dir);

XB_DEFINE_CLEANUP(xb_cachedir_cleanup, struct xb_cachedir, xb_cachedir_free)
#define xb_auto_cachedir XB_CLEANUP(xb_cachedir_cleanup)

#endif
