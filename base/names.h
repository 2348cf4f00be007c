/* SPDX-License-Identifier: Apache-2.0 */
/** The names in a directory, in order. */
#ifndef XB_BASE_NAMES_H
#define XB_BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

/** Names side by side in one piece of memory, each behind its type; starts as `{ 0 }`. */
struct xb_names {
	char *text;	    /**< of each name: its d_type, itself, a NUL */
	const char **items; /**< the names in byte order */
	size_t len;
};

/** Release. */
void xb_names_clear(struct xb_names *names);

#define xb_auto_names XB_CLEANUP(xb_names_clear)

/**
 * Names of the entries of an open directory but "." and "..", in byte order. Errors: those of
 * readdir(), -E2BIG for more than `max`; `ret` is to be released also then.
 */
int xb_names_of(int dirfd, size_t max, struct xb_names *ret);

/** Whether the directory said that it is a directory; some file systems say nothing. */
bool xb_names_is_dir(const struct xb_names *names, size_t index);

#endif
