/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The value of `RUN --mount=…`: comma-separated fields, key=value or a word alone.
 *
 * Errors are -EINVAL, fault source, without a place: give them one with xb_location_wrap().
 * Source: Dockerfile reference of frontend 1.26, "RUN --mount", and the behaviour that its tests
 * pin: which keys go with which type, what is expanded, what may be left out.
 */
#ifndef XB_BUILDER_DOCKERFILE_MOUNT_H
#define XB_BUILDER_DOCKERFILE_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "builder/dockerfile/expand.h"

/** What is mounted. */
enum xb_mount_type {
	XB_MOUNT_BIND,	 /**< files of the context, a stage or an image */
	XB_MOUNT_CACHE,	 /**< a directory that outlives the build */
	XB_MOUNT_TMPFS,	 /**< an empty directory in memory */
	XB_MOUNT_SECRET, /**< a file, or an environment variable, that no layer keeps */
	XB_MOUNT_SSH,	 /**< the socket of the user's SSH agent */
	XB_MOUNT_COUNT_
};

/** Who may use a cache at the same time. */
enum xb_mount_sharing {
	XB_MOUNT_SHARED,  /**< everybody */
	XB_MOUNT_PRIVATE, /**< one step; another gets a cache of its own */
	XB_MOUNT_LOCKED,  /**< one step; another waits */
	XB_MOUNT_SHARING_COUNT_
};

/** One mount as written, after expansion. Strings are owned, NULL where not given. */
struct xb_mount {
	enum xb_mount_type type;
	char *from;
	char *source;
	char *target;
	char *id;
	char *env; /**< SECRET: the variable that holds it */
	enum xb_mount_sharing sharing;
	bool read_only; /**< said, or the type's default: bind, secret and ssh are */
	bool required;	/**< SECRET, SSH: its absence is an error */
	uint64_t size;	/**< TMPFS: most bytes, 0: not limited */
	bool has_mode, has_uid, has_gid;
	uint32_t mode; /**< permission bits, with `has_mode` */
	uint32_t uid;
	uint32_t gid;
};

/** Release what a mount holds; it is then zeroed. */
void xb_mount_clear(struct xb_mount *mount);
#define xb_auto_mount XB_CLEANUP(xb_mount_clear)

/** The words for a type ("bind") and a sharing mode ("shared"). */
const char *xb_mount_type_name(enum xb_mount_type type);
/** See xb_mount_type_name(). */
const char *xb_mount_sharing_name(enum xb_mount_sharing sharing);

/**
 * Read a mount. Values are expanded in `env` (but that of `from`, where a variable is an error);
 * NULL: not at all. `ret` is cleared by the caller whatever the result.
 */
int xb_mount_parse(const char *text, const struct xb_expand_env *env, struct xb_mount *ret,
		   struct xb_error *err);

/**
 * Check what can be said of a mount before any variable has a value, as the frontend does it for
 * stages that nothing needs, too: that its fields can be told apart and `from` has no variable.
 */
int xb_mount_check(const char *text, struct xb_error *err);

/**
 * What `from` of a mount says, without reading the rest: malloc()ed, or NULL where it is not there
 * or the text is malformed (then xb_mount_parse() says so).
 */
char *xb_mount_from(const char *text);

#endif
