/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A map from strings to borrowed pointers. Keys are copied; values stay the caller's.
 * Iteration is in order of insertion, so that what is made from it does not depend on hashing.
 */
#ifndef XB_BASE_MAP_H
#define XB_BASE_MAP_H

#include <stddef.h>

#include "base/cleanup.h"
#include "base/str.h"

struct xb_map;

/** An empty map; release it with xb_map_free(). */
struct xb_map *xb_map_new(void);
/** Release the map and its keys, not the values; NULL is left alone. */
void xb_map_free(struct xb_map *map);

XB_DEFINE_CLEANUP(xb_map_cleanup, struct xb_map, xb_map_free)
#define xb_auto_map XB_CLEANUP(xb_map_cleanup)

/** Set `key` to `value` (not NULL); returns the value it had before, or NULL. */
void *xb_map_set(struct xb_map *map, struct xb_view key, void *value);
/** The value of `key`, or NULL. */
void *xb_map_get(const struct xb_map *map, struct xb_view key);
/** Remove `key`; returns the value it had, or NULL. */
void *xb_map_remove(struct xb_map *map, struct xb_view key);
/** Number of keys. */
size_t xb_map_len(const struct xb_map *map);
/**
 * Call `visit(context, key, value)` for each entry in order of insertion until it returns non-zero;
 * returns what the last call returned, 0 for an empty map. The map must not change meanwhile.
 */
int xb_map_each(const struct xb_map *map, int (*visit)(void *context, const char *key, void *value),
		void *context);

#endif
